using System.ComponentModel.DataAnnotations;

namespace WebRtcIms.Waf.Stores;

/// <summary>One act, without secrets. Rows are only added; a retention job may delete old ones.</summary>
internal sealed class AuditEntry
{
    public long Id { get; init; }

    public required long At { get; init; }

    /// <summary>Who acted: a client, an initial access token, an operator, or <c>settings</c>.</summary>
    [MaxLength(120)]
    public required string Actor { get; init; }

    /// <summary>The act, such as <c>client.registered</c>.</summary>
    [MaxLength(60)]
    public required string Action { get; init; }

    /// <summary>The client, kid or token that the act changed.</summary>
    [MaxLength(200)]
    public required string Subject { get; init; }

    /// <summary>The address of the caller; null for acts of this process.</summary>
    [MaxLength(60)]
    public string? Address { get; init; }
}
