namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Names under which the parts report. Each part has one <see cref="ActivitySource"/> and one meter, both called
/// <c>WebRtcIms.&lt;Part&gt;</c>; <see cref="Wildcard"/> subscribes to all of them.
/// </summary>
public static class ServiceTelemetry
{
    public const string Wildcard = "WebRtcIms.*";

    /// <summary>Span attribute: the step of figure X.5.3.2-1 (3GPP TS 33.203) that the span carries out, 1 to 8.</summary>
    public const string ImsStep = "ims.step";

    /// <summary>The source for a part, by its folder name: <c>Source("Turn")</c>.</summary>
    public static ActivitySource Source(string part) => new($"WebRtcIms.{part}");
}
