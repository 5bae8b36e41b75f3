// Stands in front of tfjs-node's addon and loads it with standard error held back.
//
// libtensorflow 2.17 and later write "oneDNN custom operations are on" while the library is being loaded, before they read
// TF_CPP_MIN_LOG_LEVEL, so nothing but this keeps them quiet. Where TF_CPP_MIN_LOG_LEVEL is set to 0, all is said; where it
// is not set, it becomes 2: errors only. What was written while loading comes out after all if loading fails.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <node_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef napi_value (*init_function)(napi_env, napi_value);

// The real addon lies beside this one.
static void addon_path(char path[PATH_MAX]) {
  static const char name[] = "tensorflow.node";
  Dl_info self;
  dladdr((void*)addon_path, &self);
  const char* slash = strrchr(self.dli_fname, '/');
  size_t folder = slash == NULL ? 0 : (size_t)(slash - self.dli_fname) + 1;
  if (folder + sizeof name > PATH_MAX) folder = 0;
  memcpy(path, self.dli_fname, folder);
  memcpy(path + folder, name, sizeof name);
}

static void copy(int from, int to) {
  char bytes[4096];
  ssize_t count;
  lseek(from, 0, SEEK_SET);
  while ((count = read(from, bytes, sizeof bytes)) > 0)
    if (write(to, bytes, count) < 0) return;
}

NAPI_MODULE_INIT() {
  char path[PATH_MAX];
  addon_path(path);
  setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
  int loud = strcmp(getenv("TF_CPP_MIN_LOG_LEVEL"), "0") == 0;
  int held = loud ? -1 : memfd_create("stderr", MFD_CLOEXEC);
  int before = held < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (before >= 0) dup2(held, STDERR_FILENO);

  void* addon = dlopen(path, RTLD_LAZY | RTLD_LOCAL);

  if (before >= 0) {
    dup2(before, STDERR_FILENO);
    if (addon == NULL) copy(held, STDERR_FILENO);
    close(before);
  }
  if (held >= 0) close(held);

  init_function init = addon == NULL ? NULL : (init_function)dlsym(addon, "napi_register_module_v1");
  if (init == NULL) {
    napi_throw_error(env, NULL, dlerror());
    return NULL;
  }
  return init(env, exports);
}
