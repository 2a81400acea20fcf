using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>Allocations to count.</summary>
internal static class Claims
{
    /// <summary>A claim of a user that has no other, unless one is given.</summary>
    public static AllocationClaim Of(InternetAddress client, TokenName? token = null, string? user = null) =>
        new(client, user ?? Guid.NewGuid().ToString(), token);
}
