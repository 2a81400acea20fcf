using System.Buffers.Text;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;

namespace WebRtcIms.Wwsf.Session;

/// <summary>
/// A session of the page with the WWSF. <paramref name="User"/> is null for an anonymous one (scenario 3).
/// <paramref name="Sid"/> is the pseudonym under which the WAF knows it: 128 random bits, base64url; the name stays here.
/// </summary>
internal sealed record WebSession(string Sid, string? User)
{
    private const string SidClaim = "sid";
    private const string UserClaim = "user";

    public string Kind => User is null ? "anonymous" : "user";

    /// <summary>
    /// Names the session in spans. It is a hash, because the eP-CSCF takes <see cref="Sid"/> itself as the key to a registration. TURN's
    /// list of allocations has the same value.
    /// </summary>
    public string Pseudonym => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sid)).AsSpan(0, 12));

    public static WebSession Create(string? user) => new(Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)), user);

    public static WebSession? From(ClaimsPrincipal principal) =>
        principal.FindFirstValue(SidClaim) is { } sid ? new(sid, principal.FindFirstValue(UserClaim)) : null;

    /// <summary>
    /// There is no subject or name claim in it on purpose: antiforgery then binds its tokens to all claims, so to this very
    /// session, and its messages have no name to tell.
    /// </summary>
    public ClaimsPrincipal ToPrincipal()
    {
        List<Claim> claims = [new(SidClaim, Sid)];
        if (User is not null) claims.Add(new(UserClaim, User));
        return new ClaimsPrincipal(new ClaimsIdentity(claims, SessionCookie.Scheme));
    }

    /// <summary>A user name has no place in a log.</summary>
    public override string ToString() => Sid;
}
