using System.Diagnostics;
using System.Security.Cryptography;
using WebRtcIms.Contracts;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Admission;

/// <summary>The data of an allocation that only the host needs: its place in the quotas, its user, and its trace.</summary>
/// <param name="lease">The place in the quotas; null when the Allocate was refused.</param>
/// <param name="token">The token that it was made or last renewed with; null for users of the configuration.</param>
/// <param name="trace">The span of the Allocate; null when it is not recorded.</param>
/// <param name="since">When it was made.</param>
internal sealed class AllocationRecord(AllocationQuotas.Lease? lease, TokenName? token, ActivityContext? trace, DateTimeOffset since)
    : IDisposable
{
    /// <summary>The id that operators use.</summary>
    public string Id { get; } = RandomNumberGenerator.GetHexString(16, lowercase: true);

    public TokenName? Token { get; set; } = token;

    public Grant? Grant { get; set; }

    /// <summary>Redis did not answer about the grant yet, so that a revocation of its session would pass by this allocation.</summary>
    public bool IsGrantUnknown { get; set; }

    public ActivityContext? Trace { get; } = trace;

    public DateTimeOffset Since { get; } = since;

    public void Dispose() => lease?.Dispose();
}
