namespace WebRtcIms.Turn.Engine.Authentication;

/// <summary>Which credentials a server takes.</summary>
/// <param name="ServerName">THIRD-PARTY-AUTHORIZATION, and the associated data of every token.</param>
/// <param name="Realm">REALM.</param>
/// <param name="BrowserProfile">Whether a token may travel in USERNAME.</param>
/// <param name="StaticUsers">Long-term users of the configuration.</param>
/// <param name="SharedSecret">What ephemeral user names are made with; null when there are none.</param>
/// <param name="SharedSecretEndsAllocations">
/// Whether the time in an ephemeral user name ends its allocations. If not, it is the last time of a first use, as in coturn.
/// </param>
/// <param name="AwaitsKeys">Whether tokens are accepted although there are no keys yet: they are delivered later.</param>
public sealed record AuthenticationSettings(
    string ServerName, string Realm, bool BrowserProfile, IReadOnlyList<Credential> StaticUsers, byte[]? SharedSecret = null,
    bool SharedSecretEndsAllocations = false, bool AwaitsKeys = false)
{
    /// <summary>Whether any client may use a password, so that PASSWORD-ALGORITHMS is offered (RFC 8489 §9.2.4).</summary>
    public bool AcceptsPasswords => BrowserProfile || StaticUsers.Count > 0 || SharedSecret is not null;

    /// <summary>
    /// A user's hash tells who it is only where all users are known beforehand: the names of tokens and ephemeral users carry
    /// what is needed to check them.
    /// </summary>
    public SecurityFeatures Features(bool tokens) =>
        (AcceptsPasswords ? SecurityFeatures.PasswordAlgorithms : SecurityFeatures.None)
        | (StaticUsers.Count > 0 && !tokens && SharedSecret is null ? SecurityFeatures.UsernameAnonymity : SecurityFeatures.None);
}
