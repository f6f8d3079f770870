// What most files of the libraries include, compiled once (-Db_pch=true). Every file includes what
// it uses all the same: without this the build is only slower.
#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>
