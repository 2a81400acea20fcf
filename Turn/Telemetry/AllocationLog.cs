using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Telemetry;

/// <summary>
/// What happens to allocations, for people. A user is named by the pseudonym of the session, as in the spans of the WWSF. Each record is
/// written within the span of what it reports.
/// </summary>
internal static partial class AllocationLog
{
    private const string NoSession = "a client without a session";
    private static readonly DropReason[] Reasons = Enum.GetValues<DropReason>();

    public static void Made(ILogger logger, PendingAllocation pending, Grant? grant) => LogMade(
        logger, User(grant), pending.FiveTuple.Transport, pending.Proof.Credential.Token?.KeyId, pending.LifetimeSeconds);

    /// <param name="logger">The logger.</param>
    /// <param name="pending">The Allocate.</param>
    /// <param name="grant">What the WAF wrote about its token.</param>
    /// <param name="error">The answer.</param>
    /// <param name="reason">Why, if admission refused it.</param>
    public static void Refused(ILogger logger, PendingAllocation pending, Grant? grant, StunError error, string? reason) => LogRefused(
        logger, User(grant), pending.FiveTuple.Transport, pending.Proof.Credential.Token?.KeyId, (int)error, Sentence(error, reason));

    public static void Ended(ILogger logger, Allocation allocation, Grant? grant, TimeSpan age)
    {
        var totals = allocation.Totals;
        LogEnded(
            logger, User(grant), allocation.FiveTuple.Transport, (long)age.TotalSeconds, Sentence(allocation.End),
            totals.PacketsToPeers, totals.BytesToPeers, totals.PacketsToClient, totals.BytesToClient, Reasons.Sum(totals.Drops));
    }

    private static string User(Grant? grant) => grant?.Pseudonym is { } session ? $"session {Pseudonym.Of(session)}" : NoSession;

    private static string Sentence(StunError error, string? reason) => reason switch
    {
        "quota" => "the quota is used up",
        "replay" => "it is a replay",
        "revoked" => "its token, its client or its session was revoked",
        "draining" => "this node drains",
        "caches_unavailable" => "Redis does not answer",
        _ when error == StunError.InsufficientCapacity => "ports, open files or memory are used up",
        _ => error.ToString(),
    };

    private static string Sentence(AllocationEnd end) => end switch
    {
        AllocationEnd.Expired => "its lifetime was over",
        AllocationEnd.Deleted => "the client deleted it",
        AllocationEnd.StreamClosed => "the connection of the client closed",
        AllocationEnd.Revoked => "its token, its client or its session was revoked",
        AllocationEnd.Disconnected => "an operator ended it",
        AllocationEnd.ServerStopped => "the server stops",
        _ => "its relay could not be started",
    };

    [LoggerMessage(1, LogLevel.Information,
        "An allocation of {User} was made over {Transport} under the key {Kid}, for {Lifetime} s", EventName = "call.allocation_made")]
    private static partial void LogMade(ILogger logger, string user, ClientTransport transport, string? kid, uint lifetime);

    [LoggerMessage(2, LogLevel.Information,
        "An Allocate of {User} over {Transport} under the key {Kid} was refused with {Code}: {Reason}", EventName = "allocation_refused")]
    private static partial void LogRefused(
        ILogger logger, string user, ClientTransport transport, string? kid, int code, string reason);

    [LoggerMessage(3, LogLevel.Information,
        "An allocation of {User} over {Transport} ended after {Seconds} s: {Reason}. Sent to peers: {PacketsToPeers} packets, " +
        "{BytesToPeers} octets. Sent to the client: {PacketsToClient} packets, {BytesToClient} octets. Dropped: {Drops} packets",
        EventName = "call.allocation_ended")]
    private static partial void LogEnded(
        ILogger logger, string user, ClientTransport transport, long seconds, string reason, long packetsToPeers, long bytesToPeers,
        long packetsToClient, long bytesToClient, long drops);
}
