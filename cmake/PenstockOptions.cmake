# penstock_options: how every file of ours is compiled and linked.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# Binaries are easier to find at the top: build/<preset>/penstock.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # g++ 12 destroys temporaries in await expressions twice.
  message(FATAL_ERROR "Penstock needs clang 19; use a preset: cmake --preset release")
endif()

add_library(penstock_options INTERFACE)
target_include_directories(penstock_options INTERFACE
  ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
target_compile_options(penstock_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror
  -fcolor-diagnostics
  # Some libraries ask for it; precompiled headers need the options of those that use them.
  -pthread)
target_link_libraries(penstock_options INTERFACE Threads::Threads)

if(PENSTOCK_SANITIZE)
  add_compile_options(-fsanitize=${PENSTOCK_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PENSTOCK_SANITIZE})
  if(PENSTOCK_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
  # The sanitizers' settings are compiled in, so that they hold however a binary is started.
  find_program(PENSTOCK_SYMBOLIZER NAMES llvm-symbolizer-19 llvm-symbolizer
    HINTS /usr/lib/llvm-19/bin)
  add_library(penstock_sanitizer_defaults OBJECT ${CMAKE_SOURCE_DIR}/cmake/sanitizer_defaults.cc)
  if(PENSTOCK_SYMBOLIZER)
    target_compile_definitions(penstock_sanitizer_defaults PRIVATE
      PENSTOCK_SYMBOLIZER="${PENSTOCK_SYMBOLIZER}")
  endif()
endif()

if(PENSTOCK_LTO)
  # Fat objects carry both machine code and bitcode: the tests link the one at once, and only the
  # penstock binary pays for link-time optimisation.
  add_compile_options(-flto=thin -ffat-lto-objects)
endif()

# penstock_executable(target sources... ): an executable of ours, with the settings above.
function(penstock_executable target)
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE penstock_options)
  if(TARGET penstock_sanitizer_defaults)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:penstock_sanitizer_defaults>)
  endif()
endfunction()

# penstock_precompile(target name headers...): the first target to ask for a set of headers
# compiles it, the later ones share it.
function(penstock_precompile target)
  if(NOT PENSTOCK_PCH)
    return()
  endif()
  if(NOT TARGET penstock_pch)
    file(WRITE ${CMAKE_BINARY_DIR}/pch.cc.new "// Precompiles the shared headers.\n")
    file(COPY_FILE ${CMAKE_BINARY_DIR}/pch.cc.new ${CMAKE_BINARY_DIR}/pch.cc ONLY_IF_DIFFERENT)
    add_library(penstock_pch OBJECT ${CMAKE_BINARY_DIR}/pch.cc)
    target_link_libraries(penstock_pch PRIVATE penstock_options fmt::fmt)
    target_precompile_headers(penstock_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
  endif()
  target_precompile_headers(${target} REUSE_FROM penstock_pch)
endfunction()

function(penstock_precompile_test target)
  if(NOT PENSTOCK_PCH)
    return()
  endif()
  if(NOT TARGET penstock_test_pch)
    add_library(penstock_test_pch OBJECT ${CMAKE_BINARY_DIR}/pch.cc)
    target_link_libraries(penstock_test_pch PRIVATE
      penstock_options fmt::fmt GTest::gmock)
    target_precompile_headers(penstock_test_pch PRIVATE
      ${CMAKE_SOURCE_DIR}/cmake/pch.h <gtest/gtest.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM penstock_test_pch)
endfunction()
