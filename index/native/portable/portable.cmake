# Links `target` so that it runs wherever glibc 2.28 does (manylinux_2_28), whatever glibc and
# libstdc++ it is built with.
#
# libstdc++ goes inside: from_chars of a double came with GCC 11. What it and the kernels then need of
# glibc exists since 2.2.5, but a newer glibc links a newer version of it by default. In front of the
# real libraries stand two that only a linker sees, which have the old versions alone. libgcc stays
# outside, for there is to be one unwinder in a process.
#
# Only x86-64: elsewhere the oldest versions have other names.
include(CheckCXXSourceCompiles)

function(make_portable target)
  set(CMAKE_REQUIRED_LINK_OPTIONS -static-libstdc++)
  check_cxx_source_compiles("#include <string>\nint main(int n, char** a) {
    return std::stoi(std::string(a[n - 1])); }" PALIMPSEST_HAS_STATIC_LIBSTDCXX)
  if(NOT PALIMPSEST_HAS_STATIC_LIBSTDCXX)
    message(FATAL_ERROR "There is no libstdc++.a to put into the module: install it (Fedora: "
      "libstdc++-static), or build with -DPALIMPSEST_PORTABLE=OFF for this machine alone.")
  endif()
  set(from "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
  foreach(name IN ITEMS pthread:libpthread.so.0 m:libm.so.6)
    string(REPLACE ":" ";" pair ${name})
    list(GET pair 0 short)
    list(GET pair 1 soname)
    set(stub old_${short})
    add_library(${stub} SHARED "${from}/${stub}.cpp")
    # -nostdlib: a real library behind it would give its functions versions of its own.
    target_compile_options(${stub} PRIVATE -fno-builtin -fno-lto)
    target_link_options(${stub} PRIVATE -nostdlib "-Wl,-soname,${soname}"
      "-Wl,--version-script,${from}/${stub}.map")
    set_target_properties(${stub} PROPERTIES NO_SONAME TRUE LINK_DEPENDS "${from}/${stub}.map")
    add_dependencies(${target} ${stub})
    target_link_libraries(${target} PRIVATE "$<TARGET_FILE:${stub}>")
  endforeach()
  target_sources(${target} PRIVATE "${from}/threads.cpp")
  # Nothing of the libstdc++ inside is seen outside, where there may be another one.
  target_link_options(${target} PRIVATE -static-libstdc++
    "-Wl,--version-script,${from}/module.map")
  # By soname, at run time, the real ones are found: no path of the build is to be looked in.
  set_target_properties(${target} PROPERTIES SKIP_BUILD_RPATH TRUE)
endfunction()
