using System.Diagnostics.Metrics;
using System.Net;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>Who may open a stream to which port.</summary>
internal sealed class StreamAdmissions(
    TurnSettings settings, DescriptorShares shares, IMeterFactory factory, ILogger<ConnectionAdmission> logger)
{
    /// <summary>TCP and TLS streams, from before the TLS handshake.</summary>
    public ConnectionAdmission Streams { get; } =
        new("turn_stream", settings.Streams.Limits.Within(shares.Streams), factory, logger);

    /// <summary>DTLS sessions. They need no descriptors.</summary>
    public ConnectionAdmission Dtls { get; } = new("turn_dtls", settings.Streams.Limits, factory, logger);

    /// <summary>Connections for health, metrics and operators.</summary>
    public ConnectionAdmission Management { get; } = new(
        "turn_management",
        new ConnectionLimits(shares.Management, shares.Management, shares.Management, shares.Management).Within(shares.Management),
        factory, logger);

    public ConnectionAdmission Of(IPEndPoint endpoint) =>
        endpoint.Port == settings.Port || endpoint.Port == settings.TlsPort ? Streams : Management;
}
