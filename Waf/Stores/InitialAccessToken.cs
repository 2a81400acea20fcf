using System.ComponentModel.DataAnnotations;

namespace WebRtcIms.Waf.Stores;

/// <summary>Permission to register clients (RFC 7591 §3): the hash of a token, how often it still serves, and until when.</summary>
internal sealed class InitialAccessToken
{
    [MaxLength(64)]
    public required string Hash { get; init; }

    /// <summary>For operators. The audit names a token by it.</summary>
    [MaxLength(100)]
    public required string Name { get; init; }

    /// <summary>Negative where the settings do not have the token any more. They may get it back.</summary>
    public required int UsesLeft { get; init; }

    /// <summary>Whether the settings brought it; null in rows of an earlier version.</summary>
    public bool? FromSettings { get; init; }

    public required long ExpiresAt { get; init; }

    public required long CreatedAt { get; init; }

    /// <summary>The most that a client of this token may get, as JSON.</summary>
    public required string Limits { get; init; }
}
