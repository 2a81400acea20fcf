using System.ComponentModel.DataAnnotations;

namespace WebRtcIms.Waf.Stores;

internal enum TurnKeyState
{
    /// <summary>TURN servers have it already; no token is issued with it yet.</summary>
    Next,

    /// <summary>Tokens are issued with it.</summary>
    Current,

    /// <summary>Its tokens are accepted until <see cref="TurnKey.ExpiresAt"/>.</summary>
    Retired,
}

/// <summary>A long-term key of a TURN server's ring (RFC 7635 §4.1).</summary>
internal sealed class TurnKey
{
    /// <summary>The TURN server's name: the audience.</summary>
    [MaxLength(255)]
    public required string Server { get; init; }

    [MaxLength(128)]
    public required string Kid { get; init; }

    /// <summary>Counts the keys of a server. The pair of server and number is unique.</summary>
    public required long Number { get; init; }

    [MaxLength(20)]
    public required string Algorithm { get; init; }

    /// <summary>K, encrypted with Data Protection.</summary>
    public required byte[] ProtectedKey { get; init; }

    [MaxLength(10)]
    public required TurnKeyState State { get; set; }

    public required long CreatedAt { get; init; }

    /// <summary>When it became current.</summary>
    public long? CurrentAt { get; set; }

    public long? RetiredAt { get; set; }

    /// <summary>When the last of its tokens is dead.</summary>
    public long? ExpiresAt { get; set; }
}
