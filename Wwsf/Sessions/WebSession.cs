using System.Buffers.Text;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>A session of the page with the WWSF. The WAF gets only the pseudonym, not the user name.</summary>
/// <param name="Sid">The pseudonym: 128 random bits, base64url.</param>
/// <param name="User">The user name; null for an anonymous session (scenario 3).</param>
/// <param name="NeedsPasskey">
/// The user logged in with a password, which is one factor. The session gets no tokens; it can add a passkey.
/// </param>
internal sealed record WebSession(string Sid, string? User, bool NeedsPasskey = false)
{
    private const string NeedsPasskeyClaim = "needs passkey";
    private const string SidClaim = "sid";
    private const string UserClaim = "user";

    public string Kind => User is null ? "anonymous" : "user";

    public string KindForPeople => User is null ? "guest" : "user";

    /// <summary>
    /// Identifies the session in spans. It is a hash because <see cref="Sid"/> itself is the key to a registration at the eP-CSCF.
    /// TURN's list of allocations has the same value.
    /// </summary>
    public string Pseudonym => Contracts.Pseudonym.Of(Sid);

    public static WebSession Create(string? user) => new(Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)), user);

    public static WebSession? From(ClaimsPrincipal principal) =>
        principal.FindFirstValue(SidClaim) is { } sid
            ? new(sid, principal.FindFirstValue(UserClaim), principal.HasClaim(claim => claim.Type == NeedsPasskeyClaim))
            : null;

    /// <summary>
    /// It has no subject or name claim. Antiforgery then binds its tokens to all claims, that is to this session, and its log
    /// messages cannot contain the name.
    /// </summary>
    public ClaimsPrincipal ToPrincipal()
    {
        List<Claim> claims = [new(SidClaim, Sid)];
        if (User is not null) claims.Add(new(UserClaim, User));
        if (NeedsPasskey) claims.Add(new(NeedsPasskeyClaim, ""));
        return new ClaimsPrincipal(new ClaimsIdentity(claims, SessionCookie.Scheme));
    }

    /// <summary>User names must not be logged.</summary>
    public override string ToString() => Sid;
}
