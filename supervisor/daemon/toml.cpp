// The one place where toml++'s own functions are compiled.
#define TOML_IMPLEMENTATION
#include "supervisor/daemon/toml.hpp"
