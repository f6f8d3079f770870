#include "supervisor/agent/sshsig.hpp"

#include "supervisor/agent/identities.hpp"
#include "supervisor/agent/public_key.hpp"
#include "supervisor/agent/wire.hpp"

#include <doctest/doctest.h>
#include <sodium.h>

using namespace livesock;

namespace {

// What ssh-keygen (OpenSSH 9.2) has made: keys, and `ssh-keygen -Y sign -n git` of "hello".

const std::string ed25519_line =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOUg4TnV33dnACUKiVXwhdTRr+aULI+KIZwkyT7g4Otm";

const std::string certificate_line =
    "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29"
    "tAAAAIBpPaxTua5uUZyBjL4Op3GV0VepmaTzp1TlOqWo/AZaFAAAAIOUg4TnV33dnACUKiVXwhdTRr+a"
    "ULI+KIZwkyT7g4OtmAAAAAAAAAAAAAAABAAAAAmlkAAAACAAAAAR1c2VyAAAAAAAAAAD//////////wA"
    "AAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmR"
    "pbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAAAAAADnB"
    "lcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIC6iJKLyPQl7B0xXGX8rj4r"
    "+RIRJKARtFQGm9tJzG0KBAAAAUwAAAAtzc2gtZWQyNTUxOQAAAECqmf69iJyEeOywNoumAODjVdSOiRc"
    "ghEistdedzNhV0957jyrX+mihDq5cZm7u4n1dHwhIIDOdxmP6f1+vdlwK";

const std::string rsa_line =
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCKkUrqVOMMjY123C7hudI076jDmcy9aMQbCdLokbRB"
    "NbY58w6OBDfpVatHLEDnXAO//kFFK5MwV2+ozartco//b1+v50DRHKKTdz0UFnsjC/3+HVxvlBPFhVQe"
    "2Vo9CYmWcpHL8MoQn8O0977uPc1+RY8edA0BCXtNcm6nq2Buec7eabQ3+VtpcbKUXofMeiyv2Diy+AzN"
    "cN2VZBQJt+jVgcmOPfsk7pOnUKemPHrvl1Fl7+mVpEhrO+EZ+En1RK7T4/W22LJQJxgqy2WcqxK+nh5w"
    "891jaqjwx8QJ5G6Uj+tFmyZ+dxBpXDZlQc0yij6Bjjw3sU/rdvngQmnsVoeWsz1WRqVb32D7uiaL1q2C"
    "OPg8KO8kKpt+C3T/+CknXYB+yUZyVVUc2RVkRA5kaTNB78OQMJbrtRuOFAylITVlsYgoPvacnQbstwrg"
    "Y2wediHTtVv3eFKm132c5n2Jhd/Jmp0LHY38FW9uJoNzSf11wIh/dM5Ysx3pzVNDikLkJ5k=";

const std::string ed25519_file =
    "-----BEGIN SSH SIGNATURE-----\n"
    "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg5SDhOdXfd2cAJQqJVfCF1NGv5p\n"
    "Qsj4ohnCTJPuDg62YAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5\n"
    "AAAAQDj59NZdUO4yuR7ylyb9j+6MdqnB/Y2ZTqvR0CSjSMuuWtzbckolDqFctVXEiin0Yt\n"
    "lBnotbjNAA+Btn+u7z1gQ=\n"
    "-----END SSH SIGNATURE-----\n";

const std::string rsa_file =
    "-----BEGIN SSH SIGNATURE-----\n"
    "U1NIU0lHAAAAAQAAAZcAAAAHc3NoLXJzYQAAAAMBAAEAAAGBAIqRSupU4wyNjXbcLuG50j\n"
    "TvqMOZzL1oxBsJ0uiRtEE1tjnzDo4EN+lVq0csQOdcA7/+QUUrkzBXb6jNqu1yj/9vX6/n\n"
    "QNEcopN3PRQWeyML/f4dXG+UE8WFVB7ZWj0JiZZykcvwyhCfw7T3vu49zX5Fjx50DQEJe0\n"
    "1ybqerYG55zt5ptDf5W2lxspReh8x6LK/YOLL4DM1w3ZVkFAm36NWByY49+yTuk6dQp6Y8\n"
    "eu+XUWXv6ZWkSGs74Rn4SfVErtPj9bbYslAnGCrLZZyrEr6eHnDz3WNqqPDHxAnkbpSP60\n"
    "WbJn53EGlcNmVBzTKKPoGOPDexT+t2+eBCaexWh5azPVZGpVvfYPu6JovWrYI4+Dwo7yQq\n"
    "m34LdP/4KSddgH7JRnJVVRzZFWREDmRpM0Hvw5Awluu1G44UDKUhNWWxiCg+9pydBuy3Cu\n"
    "BjbB52IdO1W/d4UqbXfZzmfYmF38manQsdjfwVb24mg3NJ/XXAiH90zlizHenNU0OKQuQn\n"
    "mQAAAANnaXQAAAAAAAAABnNoYTUxMgAAAZQAAAAMcnNhLXNoYTItNTEyAAABgAwwNny368\n"
    "rnPq5ep4aYUARJeLRImM03+bbvgnG5jUl8T+GN1WAYCn2IWJJIcdWDpvjH44dAjwSmCwsL\n"
    "2yaD7mZcrEBxyTuFyE1ha1WyRVqgJIXithFcYJL9NKeE9Z0ESnLv0Z1xPp+FhRKmdsHZkz\n"
    "y7t4amY/NjxJI2D83PxeXCXr2H8Alrdsznol3FRDP8fQPVgRAzQgkK8ljgo7kSsUVRm/i1\n"
    "sB1zbN8oz21swiHFs/ZhhMxI43QqA8MeaaiyyTv3+qQXYl5Qp7kptLQa8CQwPkNEtp+O/p\n"
    "qtfixmQkxr8xgLkgat+WTXHUSST7lKKRCctUKcy6nXgcP5oNJxopD3iB67M94XfS/GIUJw\n"
    "O4pcl/0+CH1odJR++VrNYp6cVNp4rfw36elPuENJe4g/jsKw20Kd57Od2u/++lf48PhPVN\n"
    "UCfDA07vN3CeC6ZyT0axLAENoQeJEn1a4J49AlO4GXpDVjRGym2QVPCzpFKZsAUMxFtZ/I\n"
    "49rzcNqJG+eLrw==\n"
    "-----END SSH SIGNATURE-----\n";

const std::string certificate_file =
    "-----BEGIN SSH SIGNATURE-----\n"
    "U1NIU0lHAAAAAQAAAbYAAAAgc3NoLWVkMjU1MTktY2VydC12MDFAb3BlbnNzaC5jb20AAA\n"
    "AgGk9rFO5rm5RnIGMvg6ncZXRV6mZpPOnVOU6paj8BloUAAAAg5SDhOdXfd2cAJQqJVfCF\n"
    "1NGv5pQsj4ohnCTJPuDg62YAAAAAAAAAAAAAAAEAAAACaWQAAAAIAAAABHVzZXIAAAAAAA\n"
    "AAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdw\n"
    "ZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZw\n"
    "AAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMA\n"
    "AAALc3NoLWVkMjU1MTkAAAAgLqIkovI9CXsHTFcZfyuPiv5EhEkoBG0VAab20nMbQoEAAA\n"
    "BTAAAAC3NzaC1lZDI1NTE5AAAAQKqZ/r2InIR47LA2i6YA4ONV1I6JFyCESKy1153M2FXT\n"
    "3nuPKtf6aKEOrlxmbu7ifV0fCEggM53GY/p/X692XAoAAAADZ2l0AAAAAAAAAAZzaGE1MT\n"
    "IAAABTAAAAC3NzaC1lZDI1NTE5AAAAQDj59NZdUO4yuR7ylyb9j+6MdqnB/Y2ZTqvR0CSj\n"
    "SMuuWtzbckolDqFctVXEiin0YtlBnotbjNAA+Btn+u7z1gQ=\n"
    "-----END SSH SIGNATURE-----\n";

/// The bytes in a signature file.
std::string dearmored(const std::string& file) {
    const std::size_t begin = file.find('\n');
    const std::size_t end = file.rfind("-----END");
    std::string blob(file.size(), '\0');
    std::size_t size = 0;
    REQUIRE(sodium_base642bin(reinterpret_cast<unsigned char*>(blob.data()), blob.size(),
                              file.data() + begin, end - begin, "\n", &size, nullptr,
                              sodium_base64_VARIANT_ORIGINAL) == 0);
    blob.resize(size);
    return blob;
}

/// The signature itself: the last string of the file.
std::string signature_in(const std::string& file) {
    const std::string blob = dearmored(file);
    WireReader reader(std::string_view(blob).substr(6));
    REQUIRE(reader.uint32() == 1);
    std::string last;
    while (const auto field = reader.string())
        last = *field;
    REQUIRE(reader.at_end());
    return last;
}

std::string blob_of(const std::string& line) {
    const std::optional<std::string> blob = parse_key_line(line);
    REQUIRE(blob);
    return *blob;
}

std::string sk_signature(std::string_view type, std::string_view rest) {
    return WireWriter().string(type).string(std::string(64, 's')).bytes() + std::string(rest);
}

} // namespace

TEST_CASE("a file is what ssh-keygen makes of the same signature") {
    for (const auto& [line, file] :
         {std::pair(ed25519_line, ed25519_file), std::pair(rsa_line, rsa_file),
          std::pair(certificate_line, certificate_file)}) {
        const Result<std::string> made = armored_sshsig(blob_of(line), "git", signature_in(file));
        REQUIRE(made);
        CHECK(*made == file);
    }
}

TEST_CASE("what is signed is what ssh-keygen has signed") {
    MessageHash hash;
    CHECK(hash.is_empty());
    hash.add("hel");
    hash.add("");
    hash.add("lo");
    CHECK_FALSE(hash.is_empty());
    const std::string data = sshsig_data("git", hash.finish());
    const std::string blob = blob_of(ed25519_line);
    const std::string signature = signature_in(ed25519_file);
    const std::string_view key = std::string_view(blob).substr(blob.size() - 32);
    const std::string_view bytes = std::string_view(signature).substr(signature.size() - 64);
    const auto at = [](std::string_view text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    };
    CHECK(crypto_sign_verify_detached(at(bytes), at(data), data.size(), at(key)) == 0);
    CHECK(crypto_sign_verify_detached(at(bytes), at(data), data.size() - 1, at(key)) != 0);
}

TEST_CASE("a signature of another algorithm than the key's is an error that names both") {
    const std::string rest = WireWriter().string("signature").bytes();
    for (const char* const algorithm : {"ssh-rsa", "rsa-sha2-256", "", "rsa-sha2-512 "}) {
        const Result<std::string> made =
            armored_sshsig(blob_of(rsa_line), "git", WireWriter().string(algorithm).bytes() + rest);
        REQUIRE_FALSE(made);
        CHECK(made.error().message.find("rsa-sha2-512") != std::string::npos);
    }
    CHECK(armored_sshsig(blob_of(rsa_line), "git",
                         WireWriter().string("rsa-sha2-512").bytes() + rest));
    CHECK_FALSE(armored_sshsig(blob_of(ed25519_line), "git",
                               WireWriter().string("rsa-sha2-512").bytes() + rest));
    CHECK_FALSE(armored_sshsig(WireWriter().string("ssh-dss").string("x").bytes(), "git",
                               WireWriter().string("ssh-dss").bytes() + rest));
}

TEST_CASE("a signature that is cut, or followed by something, is refused") {
    const std::string blob = blob_of(ed25519_line);
    const std::string good = signature_in(ed25519_file);
    for (std::size_t length = 0; length < good.size(); ++length)
        CHECK_FALSE(armored_sshsig(blob, "git", std::string_view(good).substr(0, length)));
    CHECK_FALSE(armored_sshsig(blob, "git", good + "x"));
    CHECK_FALSE(armored_sshsig(blob, "git", WireWriter().string("ssh-ed25519").string("").bytes()));
}

TEST_CASE("a signature has the form of its algorithm") {
    const auto is_taken = [](std::string_view type, std::string_view signature) {
        const std::string blob = WireWriter().string(type).string("a").string("b").bytes();
        return armored_sshsig(blob, "git", WireWriter().string(type).string(signature).bytes())
            .ok();
    };
    const std::string blob = blob_of(ed25519_line);
    for (const std::size_t length : {std::size_t{63}, std::size_t{65}})
        CHECK_FALSE(armored_sshsig(
            blob, "git",
            WireWriter().string("ssh-ed25519").string(std::string(length, 's')).bytes()));
    constexpr std::string_view ecdsa = "ecdsa-sha2-nistp256";
    CHECK(is_taken(ecdsa, WireWriter().string("r").string("s").bytes()));
    CHECK_FALSE(is_taken(ecdsa, WireWriter().string("r").bytes()));
    CHECK_FALSE(is_taken(ecdsa, WireWriter().string("r").string("").bytes()));
    CHECK_FALSE(is_taken(ecdsa, WireWriter().string("").string("s").bytes()));
    CHECK_FALSE(is_taken(ecdsa, WireWriter().string("r").string("s").string("t").bytes()));
    CHECK_FALSE(is_taken(ecdsa, std::string(64, 's')));
}

TEST_CASE("a security key's signature has flags and a counter") {
    constexpr std::string_view type = "sk-ssh-ed25519@openssh.com";
    const std::string blob = WireWriter().string(type).string("key").string("ssh:").bytes();
    const std::string told = WireWriter().byte(1).uint32(7).bytes();
    CHECK(armored_sshsig(blob, "git", sk_signature(type, told)));
    CHECK_FALSE(armored_sshsig(blob, "git", sk_signature(type, "")));
    CHECK_FALSE(armored_sshsig(blob, "git", sk_signature(type, told.substr(1))));
    CHECK_FALSE(armored_sshsig(blob, "git", sk_signature(type, told + "x")));
    CHECK_FALSE(armored_sshsig(blob_of(ed25519_line), "git", signature_in(ed25519_file) + told));
}

TEST_CASE("a line of 70 columns is full, and the last one is never empty") {
    // Of each length modulo 70 one, so that one of them fills its last line.
    for (std::size_t size = 1; size <= 210; ++size) {
        const std::string signature =
            WireWriter().string("rsa-sha2-512").string(std::string(size, 's')).bytes();
        const Result<std::string> made = armored_sshsig(blob_of(rsa_line), "git", signature);
        REQUIRE(made);
        CHECK(made->find("\n\n") == std::string::npos);
        CHECK(signature_in(*made) == signature);
    }
}

TEST_CASE("the key of a certificate has the key's fingerprint, and signs with its algorithm") {
    const std::string key = blob_of(ed25519_line);
    const std::string certificate = blob_of(certificate_line);
    CHECK(plain_key(certificate) == key);
    CHECK(plain_key(key) == key);
    CHECK(fingerprint(certificate) == fingerprint(key));
    CHECK(sshsig_algorithm(certificate) == "ssh-ed25519");
    CHECK(sshsig_algorithm(blob_of(rsa_line)) == "rsa-sha2-512");
    CHECK(key_line(key) == ed25519_line);
}

TEST_CASE("what is no key of a known type has no algorithm") {
    const std::string key = blob_of(ed25519_line);
    const std::string certificate = blob_of(certificate_line);
    for (const std::string& bad :
         {std::string(), key.substr(0, key.size() - 1), key + "x",
          WireWriter().string("ssh-ed25519").bytes(),
          WireWriter().string("ssh-dss").string("x").bytes(), certificate.substr(0, 40)}) {
        CHECK_FALSE(plain_key(bad));
        CHECK(sshsig_algorithm(bad).empty());
    }
}

TEST_CASE("a line of a public key is its type, its base64 and perhaps a comment") {
    const std::string key = blob_of(ed25519_line);
    CHECK(parse_key_line(ed25519_line + " a comment") == key);
    for (const std::string& bad :
         {std::string(), std::string("ssh-ed25519"), std::string("ssh-ed25519 "),
          "ssh-rsa" + ed25519_line.substr(ed25519_line.find(' ')), " " + ed25519_line,
          ed25519_line + "!", std::string("ssh-ed25519 AAAA"), std::string(1'000'000, 'A')})
        CHECK_FALSE(parse_key_line(bad));
}
