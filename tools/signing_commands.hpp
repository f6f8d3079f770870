// signing token, signing expose: the commands about the signing endpoint. Each prints what it has
// to say and returns an exit status.
#pragma once

#include <string>

namespace livesock {

/// Makes a token called `name` and prints it, alone, on standard output. `listener`: whose, by name
/// or address; empty where only one token file is configured.
int add_token_command(const std::string& name, const std::string& listener);
int revoke_token_command(const std::string& name, const std::string& listener);
int list_tokens_command(const std::string& listener);

/// Prints what a container needs to use the listener called `name`, or with that address; empty
/// where there is only one.
int expose_command(const std::string& name, bool devcontainer);

} // namespace livesock
