// "Did you mean ...?"
#pragma once

#include <span>
#include <string_view>

namespace livesock {

/// The one of `known` that a person who typed `word` most likely meant, by edit distance (a swap of
/// neighbours counts one); empty if none is near. The first of equals wins.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> known);

} // namespace livesock
