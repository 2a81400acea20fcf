using System.Net;
using System.Net.Sockets;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Turn.Settings;

/// <summary>The server cannot start because an address cannot be bound. The message says which settings to change.</summary>
internal static class BindErrors
{
    public static SettingsException CannotBind(IPEndPoint endpoint, SocketException error) =>
        new($"UDP {endpoint} cannot be bound ({error.SocketErrorCode}): " +
            "choose another with Turn:Port, Turn:TlsPort or Turn:ListenAddress.");
}
