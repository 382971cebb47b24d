# The sample modules: modules/NAME.c or NAME.cc becomes modules/NAME.so of the build tree. They are
# built as other people's modules are: of one source file and include/ alone, in C11 or C++17.

# penstock_module(source LIBS targets... [FOLDER folder]): a shared object named as its source.
function(penstock_module source)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER" "LIBS")
  cmake_path(GET source STEM name)
  set(folder modules)
  if(arg_FOLDER)
    set(folder ${arg_FOLDER})
  endif()
  set(target module_${name})
  add_library(${target} MODULE ${source})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder}
    C_STANDARD 11 C_EXTENSIONS OFF CXX_STANDARD 17
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wimplicit-fallthrough -Werror
    -fcolor-diagnostics -Wno-missing-field-initializers)
  target_link_options(${target} PRIVATE -fuse-ld=lld)
  target_link_libraries(${target} PRIVATE ${arg_LIBS})
  set_property(GLOBAL APPEND PROPERTY PENSTOCK_MODULES ${target})
endfunction()

# All of modules/. Whoever builds the binary gets them beside it.
function(penstock_modules)
  file(GLOB sources CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/modules/*.cc ${CMAKE_SOURCE_DIR}/modules/*.c)
  set(compressor_libs PkgConfig::brotli PkgConfig::zlib PkgConfig::zstd)
  set(image_transcoder_libs PkgConfig::images)
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    penstock_module(${source} LIBS ${${name}_libs})
  endforeach()
  get_property(targets GLOBAL PROPERTY PENSTOCK_MODULES)
  add_custom_target(modules)
  if(targets)
    add_dependencies(modules ${targets})
  endif()
  if(TARGET penstock)
    add_dependencies(penstock modules)
  endif()
endfunction()

# tests/modules: the samples and the C++ wrapper on a host that is none of the proxy's.
function(penstock_module_tests)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/modules/*.cc)
  set(probes ${sources})
  list(FILTER probes INCLUDE REGEX "_probe\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_probe\\.cc$")
  if(NOT PENSTOCK_TESTS OR NOT sources)
    return()
  endif()
  foreach(probe IN LISTS probes)
    penstock_module(${probe} FOLDER modules/probes)
  endforeach()
  penstock_unit_test(modules_test SOURCES ${sources} LIBS ${CMAKE_DL_LIBS} ${ARGN})
  target_include_directories(modules_test PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(modules_test PRIVATE PENSTOCK_MODULES="${CMAKE_BINARY_DIR}/modules")
  get_property(targets GLOBAL PROPERTY PENSTOCK_MODULES)
  add_dependencies(modules_test ${targets})
endfunction()
