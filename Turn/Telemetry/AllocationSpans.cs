using System.Diagnostics;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Telemetry;

/// <summary>
/// The spans of the server: one for each control message, and one for the life of an allocation, written at its end. Relayed packets
/// have no spans.
/// </summary>
internal static class AllocationSpans
{
    private static readonly ActivitySource Source = ServiceTelemetry.Source("Turn");
    private static readonly DropReason[] Reasons = Enum.GetValues<DropReason>();

    /// <summary>
    /// The span of step 8. TURN carries no trace context, so the parent comes with the grant that the authorization server
    /// left in the shared cache, and the span is made once that has been read, with the time at which the work began.
    /// </summary>
    public static Activity? StartAllocate(PendingAllocation pending, string? traceparent, DateTimeOffset started)
    {
        _ = ActivityContext.TryParse(traceparent, null, isRemote: true, out var parent);
        var activity = Source.StartActivity("turn allocate", ActivityKind.Server, parent, startTime: started);
        activity?.SetTag(ServiceTelemetry.ImsStep, 8);
        activity?.SetTag("turn.kid", pending.Proof.Credential.Token?.KeyId);
        SetTransport(activity, pending.FiveTuple);
        activity?.SetTag("turn.lifetime", pending.LifetimeSeconds);
        return activity;
    }

    /// <summary>A request on an allocation, as a child of the span that made it; it has been answered just now.</summary>
    /// <param name="trace">The span of the Allocate; null when it is not recorded.</param>
    /// <param name="method">Refresh, CreatePermission or ChannelBind.</param>
    /// <param name="error">The answer.</param>
    /// <param name="started">When the request came.</param>
    public static Activity? StartRequest(ActivityContext? trace, StunMethod method, StunError error, DateTimeOffset started)
    {
        if (trace is not { } parent) return null;
        var activity = Source.StartActivity(Name(method), ActivityKind.Server, parent, startTime: started);
        activity?.SetTag("turn.error_code", (int)error);
        if (error != StunError.None) activity?.SetStatus(ActivityStatusCode.Error, error.ToString());
        return activity;
    }

    /// <summary>A Refresh with another token. The trace of that token is linked.</summary>
    public static Activity? StartRenewal(
        ActivityContext? trace, TokenName token, StunError error, string? traceparent, DateTimeOffset started)
    {
        var activity = StartRequest(trace, StunMethod.Refresh, error, started);
        activity?.SetTag("turn.renewal", true);
        activity?.SetTag("turn.kid", token.KeyId);
        if (ActivityContext.TryParse(traceparent, null, isRemote: true, out var source)) activity?.AddLink(new ActivityLink(source));
        return activity;
    }

    /// <summary>The span of the whole life of an allocation. It is the current one until it is disposed.</summary>
    public static Activity? StartEnd(Allocation allocation, ActivityContext? trace, DateTimeOffset since, string? kid)
    {
        if (trace is not { } parent) return null;
        var activity = Source.StartActivity("turn.allocation", ActivityKind.Internal, parent, startTime: since);
        if (activity is null) return null;
        var totals = allocation.Totals;
        activity.SetTag("turn.kid", kid);
        SetTransport(activity, allocation.FiveTuple);
        activity.SetTag("turn.allocation.families", Families(allocation));
        activity.SetTag("turn.allocation.end", allocation.End.ToString());
        activity.SetTag("turn.packets.to_peers", totals.PacketsToPeers);
        activity.SetTag("turn.bytes.to_peers", totals.BytesToPeers);
        activity.SetTag("turn.packets.to_client", totals.PacketsToClient);
        activity.SetTag("turn.bytes.to_client", totals.BytesToClient);
        foreach (var reason in Reasons)
        {
            if (totals.Drops(reason) is > 0 and var drops) activity.SetTag($"turn.drops.{reason}", drops);
        }

        return activity;
    }

    // As OpenTelemetry's conventions have it, TLS is not a transport.
    private static void SetTransport(Activity? activity, in FiveTuple flow)
    {
        activity?.SetTag("network.transport", flow.IsStream ? "tcp" : "udp");
        if (flow.Transport is ClientTransport.Tls or ClientTransport.Dtls) activity?.SetTag("tls.established", true);
    }

    public static string Families(Allocation allocation) => (allocation.IPv4, allocation.IPv6) switch
    {
        (not null, not null) => "ipv4,ipv6",
        (null, not null) => "ipv6",
        _ => "ipv4",
    };

    private static string Name(StunMethod method) => method switch
    {
        StunMethod.Refresh => "turn refresh",
        StunMethod.CreatePermission => "turn create-permission",
        StunMethod.ChannelBind => "turn channel-bind",
        _ => $"turn {method}",
    };
}
