namespace WebRtcIms.Waf.Audit;

/// <summary>The acts of the audit, apart from those of key rings. The subject of each is in parentheses.</summary>
internal static class AuditAction
{
    /// <summary>(client) The actor is the initial access token.</summary>
    public const string ClientRegistered = "client.registered";

    /// <summary>(client)</summary>
    public const string ClientUpdated = "client.updated";

    /// <summary>(client) The actor is <c>settings</c> if they do not name it any more.</summary>
    public const string ClientDeleted = "client.deleted";

    /// <summary>(kid and token id of a TURN token)</summary>
    public const string TokenIssued = "token.issued";

    /// <summary>(kid and token id of a registration token)</summary>
    public const string RegistrationTokenIssued = "registration_token.issued";

    /// <summary>(kid and token id)</summary>
    public const string TokenRevoked = "token.revoked";

    /// <summary>(client) All tokens that it got until then.</summary>
    public const string ClientRevoked = "client.revoked";

    /// <summary>(pseudonym of the session)</summary>
    public const string SessionRevoked = "session.revoked";

    /// <summary>(kid)</summary>
    public const string KeyRevoked = "key.revoked";

    /// <summary>(<c>all</c>) All tokens that were issued until then.</summary>
    public const string AllRevoked = "all.revoked";

    /// <summary>(name)</summary>
    public const string InitialAccessTokenCreated = "initial_access_token.created";

    /// <summary>(name) The actor is <c>settings</c> if they do not have the token any more.</summary>
    public const string InitialAccessTokenRevoked = "initial_access_token.revoked";

    /// <summary>The actor of changes that follow from the settings of this process.</summary>
    public const string Settings = "settings";

    public static bool IsIssue(string action) => action is TokenIssued or RegistrationTokenIssued;
}
