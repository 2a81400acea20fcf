using System.ComponentModel.DataAnnotations;

namespace WebRtcIms.Waf.Stores;

/// <summary>
/// A long-term key of a ring (RFC 7635 §4.1). Its state is not stored: it follows from <see cref="CurrentAt"/> of this key and of the key
/// after it.
/// </summary>
internal sealed class StoredKey
{
    /// <summary><c>turn/</c> and the name of the TURN server, or <c>ims/</c> and the home domain.</summary>
    [MaxLength(260)]
    public required string Ring { get; init; }

    /// <summary>Counts the keys of a ring.</summary>
    public required long Number { get; init; }

    [MaxLength(128)]
    public required string Kid { get; init; }

    [MaxLength(20)]
    public required string Algorithm { get; init; }

    /// <summary>K, encrypted with Data Protection; empty when the key is revoked.</summary>
    public required byte[] ProtectedKey { get; set; }

    public required long CreatedAt { get; init; }

    /// <summary>From this time tokens are issued with it, until the next key is current.</summary>
    public required long CurrentAt { get; set; }

    /// <summary>The longest lifetime of its tokens, in seconds.</summary>
    public required long TokenLifetime { get; set; }

    /// <summary>The row of a revoked key stays as long as its revocation, so that its name is not used again.</summary>
    public long? RevokedAt { get; set; }
}
