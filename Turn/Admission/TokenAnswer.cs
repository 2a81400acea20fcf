using System.Diagnostics;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Turn.Admission;

/// <summary>What the fleet knows about a token, after this Allocate has been counted.</summary>
internal sealed record TokenAnswer(DateTimeOffset AskedAt, DateTimeOffset AnsweredAt)
{
    /// <summary>False when Redis did not answer in time. The other values are unknown then.</summary>
    public bool IsAvailable { get; init; }

    /// <summary>The Allocate was counted. The count must be decremented at its end.</summary>
    public bool IsCounted { get; init; }

    public bool IsReplay { get; init; }

    /// <summary>The lifetime cache knew the token: it has made an allocation before.</summary>
    public bool IsKnown { get; init; }

    public bool IsRevoked { get; init; }

    public long LiveAllocations { get; init; }

    public long ClientAddresses { get; init; }

    public Grant? Grant { get; init; }

    /// <summary>Adds the round trip as a child span, with the times at which it happened.</summary>
    public void Record(Activity? parent) =>
        RedisCommand.Record("BATCH", parent, AskedAt, AnsweredAt, IsAvailable ? null : "Redis did not answer in time");
}
