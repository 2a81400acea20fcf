using System.Security.Cryptography;
using System.Text;

namespace WebRtcIms.Contracts;

/// <summary>
/// Identifies a session or a user in spans and logs: the first 12 octets of SHA-256 of the session id or the user id, in hexadecimal.
/// Both ids are random, so that the hash does not reveal them.
/// </summary>
public static class Pseudonym
{
    public static string Of(string id) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 12));
}
