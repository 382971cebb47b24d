# A room is a folder of src/: one static library, and one executable of its unit tests.

set_property(GLOBAL PROPERTY PENSTOCK_ROOMS "")

# penstock_room(name DEPS rooms... LIBS targets...)
function(penstock_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS;LIBS")
  list(TRANSFORM arg_DEPS PREPEND penstock_)
  set_property(GLOBAL APPEND PROPERTY PENSTOCK_ROOMS penstock_${name})

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  if(sources)
    add_library(penstock_${name} STATIC ${sources})
    target_link_libraries(penstock_${name} PUBLIC penstock_options ${arg_DEPS} ${arg_LIBS})
    penstock_precompile(penstock_${name})
  else()
    # Only headers, or nothing yet.
    add_library(penstock_${name} INTERFACE)
    target_link_libraries(penstock_${name} INTERFACE penstock_options ${arg_DEPS} ${arg_LIBS})
  endif()

  if(PENSTOCK_TESTS AND tests)
    # The rooms from net upwards may be tested on the simulated network.
    set(libs penstock_${name})
    if(NOT name MATCHES "^(base|async)$")
      list(APPEND libs penstock_sim)
    endif()
    penstock_unit_test(${name}_test SOURCES ${tests} LIBS ${libs})
  endif()
endfunction()

# penstock_app(target DEPS rooms... LIBS targets...): src/app, whose main.cc makes the binary and
# whose other files are a room like the rest.
function(penstock_app target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS;LIBS")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/app/*.cc)
  set(main ${CMAKE_SOURCE_DIR}/src/app/main.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/src/app/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM arg_DEPS PREPEND penstock_)

  if(sources)
    add_library(penstock_app STATIC ${sources})
    target_link_libraries(penstock_app PUBLIC penstock_options ${arg_DEPS} ${arg_LIBS})
    target_compile_definitions(penstock_app PRIVATE
      PENSTOCK_PRODUCT_VERSION="${PROJECT_VERSION}"
      PENSTOCK_INCLUDE_DIR="${CMAKE_SOURCE_DIR}/include")
    penstock_precompile(penstock_app)
  else()
    add_library(penstock_app INTERFACE)
    target_link_libraries(penstock_app INTERFACE penstock_options ${arg_DEPS} ${arg_LIBS})
  endif()
  set_property(GLOBAL APPEND PROPERTY PENSTOCK_ROOMS penstock_app)

  if(EXISTS ${main})
    penstock_executable(${target} ${main})
    target_link_libraries(${target} PRIVATE penstock_app)
    target_compile_definitions(${target} PRIVATE PENSTOCK_PRODUCT_VERSION="${PROJECT_VERSION}")
    penstock_precompile(${target})
    if(PENSTOCK_LTO)
      target_link_options(${target} PRIVATE -flto=thin -ffat-lto-objects -O2
        -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto-cache)
    endif()
  endif()
  if(PENSTOCK_TESTS AND tests)
    penstock_unit_test(app_test SOURCES ${tests} LIBS penstock_app penstock_sim)
  endif()
endfunction()
