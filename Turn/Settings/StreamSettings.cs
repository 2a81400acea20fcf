using System.ComponentModel.DataAnnotations;
using WebRtcIms.ServiceDefaults.Admission;

namespace WebRtcIms.Turn.Settings;

/// <summary>
/// Limits of TCP and TLS streams, and the same for DTLS sessions. An IPv6 address counts as its /64. A stream is unauthenticated until the
/// server has granted an authenticated request, and after its allocation has ended.
/// </summary>
internal sealed class StreamSettings
{
    private const string AtLeast = "{0} must be at least {1}";

    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int UnauthenticatedPerClientAddress { get; set; } = 100;

    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int Unauthenticated { get; set; } = 1000;

    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int PerClientAddress { get; set; } = 2000;

    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int Total { get; set; } = 16000;

    public ConnectionLimits Limits => new(UnauthenticatedPerClientAddress, Unauthenticated, PerClientAddress, Total);
}
