# Everything ctest runs, the fuzzers and the benchmarks.

enable_testing()
include(GoogleTest)

# penstock_unit_test(target SOURCES files... LIBS targets...)
function(penstock_unit_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  penstock_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBS} GTest::gmock GTest::gtest_main)
  penstock_precompile_test(${target})
  # Discovery waits for ctest, so that the build runs nothing.
  gtest_discover_tests(${target}
    DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    TEST_PREFIX "${PENSTOCK_TEST_PREFIX}"
    PROPERTIES TIMEOUT 120)
endfunction()

# penstock_test_module(target source definitions...): a module in build/<preset>/test_modules/, for
# tests of loading.
function(penstock_test_module target source)
  add_library(${target} MODULE ${source})
  target_compile_definitions(${target} PRIVATE ${ARGN})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  set_target_properties(${target} PROPERTIES PREFIX "" C_STANDARD 11 C_STANDARD_REQUIRED ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test_modules)
endfunction()

# The modules of the unit tests of the room `module`: one source, with what is wrong with each.
function(penstock_loader_modules)
  if(NOT TARGET module_test)
    return()
  endif()
  foreach(kind good other wrong_abi small no_symbol null_entry load_fails bad_name
      no_version bad_setting newer stays)
    string(TOUPPER ${kind} definition)
    penstock_test_module(loader_${kind} ${CMAKE_SOURCE_DIR}/tests/modules/loader_subject.c
      SUBJECT_${definition})
    add_dependencies(module_test loader_${kind})
  endforeach()
  # `check` loads modules, too.
  add_dependencies(app_test loader_good)
  target_compile_definitions(app_test PRIVATE
    PENSTOCK_TEST_MODULES="${CMAKE_BINARY_DIR}/test_modules")
  target_link_options(loader_stays PRIVATE -Wl,-z,nodelete)
  target_compile_definitions(module_test PRIVATE
    PENSTOCK_TEST_MODULES="${CMAKE_BINARY_DIR}/test_modules")
endfunction()

# tests/*_test.cc: scenarios over all rooms, a program each (one of them counts allocations, which
# concerns the whole program); the other files there are what they share.
function(penstock_scenarios)
  file(GLOB support CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*.cc)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*_test.cc)
  if(NOT PENSTOCK_TESTS OR NOT tests)
    return()
  endif()
  list(REMOVE_ITEM support ${tests})
  get_property(rooms GLOBAL PROPERTY PENSTOCK_ROOMS)
  if(support)
    add_library(scenario_support STATIC EXCLUDE_FROM_ALL ${support})
    target_include_directories(scenario_support PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(scenario_support PUBLIC ${rooms})
    list(PREPEND rooms scenario_support)
  endif()
  foreach(test IN LISTS tests)
    cmake_path(GET test STEM name)
    penstock_unit_test(${name} SOURCES ${test} LIBS ${rooms})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  endforeach()
endfunction()

# tests/e2e/test_*.py: the real binary, over real sockets.
function(penstock_e2e_tests)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/e2e/test_*.py)
  if(NOT PENSTOCK_TESTS OR NOT TARGET penstock OR NOT Python3_FOUND)
    return()
  endif()
  foreach(test IN LISTS tests)
    cmake_path(GET test STEM name)
    # What tests are made of is the same under all presets.
    if(PENSTOCK_TEST_PREFIX STREQUAL "asan." AND
       name MATCHES "^test_(doubles|doubles_.*|icap_servers|icap_plan)$")
      continue()
    endif()
    set(full ${PENSTOCK_TEST_PREFIX}e2e.${name})
    add_test(NAME ${full}
      COMMAND ${Python3_EXECUTABLE} -B -m unittest -v ${name}
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/tests/e2e)
    set_tests_properties(${full} PROPERTIES TIMEOUT 300
      ENVIRONMENT PENSTOCK_BIN=$<TARGET_FILE:penstock>)
  endforeach()
endfunction()

# fuzz/<name>_fuzz.cc: under the fuzz preset a libFuzzer program; otherwise a program that replays
# the files of fuzz/corpus/<name>/, which is a test.
function(penstock_fuzzers)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.cc)
  if(NOT PENSTOCK_FUZZ AND NOT PENSTOCK_TESTS)
    return()
  endif()
  get_property(rooms GLOBAL PROPERTY PENSTOCK_ROOMS)
  add_custom_target(fuzzers)
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM target)
    string(REGEX REPLACE "_fuzz$" "" name ${target})
    if(PENSTOCK_FUZZ)
      penstock_executable(${target} ${source})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
      penstock_executable(${target} ${source} ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cc)
      set(full ${PENSTOCK_TEST_PREFIX}fuzz.${name})
      add_test(NAME ${full} COMMAND ${target} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
      set_tests_properties(${full} PROPERTIES TIMEOUT 120)
    endif()
    target_link_libraries(${target} PRIVATE ${rooms})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
    penstock_precompile(${target})
    add_dependencies(fuzzers ${target})
  endforeach()
endfunction()

# bench/*_bench.cc: micro-benchmarks; other bench/<name>.cc: the tools of the measuring scripts, as
# bench_<name>, made of nothing but themselves and OpenSSL.
function(penstock_benchmarks)
  if(NOT PENSTOCK_BENCH)
    return()
  endif()
  get_property(rooms GLOBAL PROPERTY PENSTOCK_ROOMS)
  add_custom_target(benchmarks)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*.cc)
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    if(name MATCHES "_bench$")
      penstock_executable(${name} ${source})
      target_link_libraries(${name} PRIVATE ${rooms} benchmark::benchmark benchmark::benchmark_main)
      penstock_precompile(${name})
      add_dependencies(benchmarks ${name})
    else()
      penstock_executable(bench_${name} ${source})
      target_link_libraries(bench_${name} PRIVATE OpenSSL::SSL)
      add_dependencies(benchmarks bench_${name})
    endif()
  endforeach()
endfunction()

# The checks of the sources themselves; once is enough, so only the release preset asks for them.
function(penstock_source_checks)
  if(NOT PENSTOCK_CHECKS OR NOT PENSTOCK_TESTS)
    return()
  endif()
  add_test(NAME check.rooms COMMAND ${CMAKE_SOURCE_DIR}/tools/check-rooms)
  add_test(NAME check.headers
    COMMAND ${CMAKE_SOURCE_DIR}/tools/check-headers ${CMAKE_BINARY_DIR})
  add_test(NAME check.format COMMAND ${CMAKE_SOURCE_DIR}/tools/format --check)
  add_test(NAME check.module-reference
    COMMAND ${CMAKE_SOURCE_DIR}/tools/module-reference --check)
  set_tests_properties(check.rooms check.format check.module-reference PROPERTIES TIMEOUT 120)
  set_tests_properties(check.headers PROPERTIES TIMEOUT 300)
endfunction()
