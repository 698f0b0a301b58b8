// For the linker alone: the functions that libpthread had before glibc 2.34 moved them. See
// portable.cmake.
extern "C" {
void __pthread_key_create() {}
void pthread_create() {}
void pthread_detach() {}
void pthread_join() {}
void pthread_mutex_trylock() {}
void pthread_once() {}
}
