using System.Diagnostics;
using System.Security.Cryptography;
using WebRtcIms.Contracts;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Admission;

/// <summary>What the host keeps with an allocation: its place in the quotas, whose it is, and the trace that it belongs to.</summary>
/// <param name="lease">The place; null when an Allocate was refused.</param>
/// <param name="token">The token that it was made or last renewed with; null for users of the configuration.</param>
/// <param name="trace">The span of the Allocate; null when that one is not recorded.</param>
/// <param name="since">When it was made.</param>
internal sealed class AllocationRecord(AllocationQuotas.Lease? lease, TokenName? token, ActivityContext? trace, DateTimeOffset since)
    : IDisposable
{
    /// <summary>What operators call it by.</summary>
    public string Id { get; } = RandomNumberGenerator.GetHexString(16, lowercase: true);

    public TokenName? Token { get; set; } = token;

    public Grant? Grant { get; set; }

    public ActivityContext? Trace { get; } = trace;

    public DateTimeOffset Since { get; } = since;

    public void Dispose() => lease?.Dispose();
}
