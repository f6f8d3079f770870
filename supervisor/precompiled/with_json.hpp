// The same for those that read or write JSON.
#include "library.hpp"

#include <nlohmann/json.hpp>
