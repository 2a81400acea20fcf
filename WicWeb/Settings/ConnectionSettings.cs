using System.ComponentModel.DataAnnotations;
using WebRtcIms.ServiceDefaults.Admission;

namespace WebRtcIms.WicWeb.Settings;

/// <summary>Limits of TCP connections to the gateway. An IPv6 address counts as its /64.</summary>
internal sealed class ConnectionSettings
{
    private const string AtLeast = "{0} must be at least {1}";

    /// <summary>
    /// Connections of one address without a request in flight, and as many more with one. Beyond it the one that has been idle for longest
    /// is closed. A browser keeps up to six, and many people share the address of a NAT.
    /// </summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int IdlePerAddress { get; set; } = 200;

    /// <summary>
    /// Connections without a request in flight, and as many more with one. Beyond it the oldest of the address with most of them is closed.
    /// </summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int Idle { get; set; } = 2_000;

    /// <summary>WebSockets of one address with a live session. Others may give way as requests in flight do.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int PerAddress { get; set; } = 2_000;

    /// <summary>All connections.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int Total { get; set; } = 20_000;

    // A connection may need another one to a backend.
    public ConnectionLimits Limits =>
        new ConnectionLimits(IdlePerAddress, Idle, PerAddress, Total).Within(FileDescriptors.Available / 2);
}
