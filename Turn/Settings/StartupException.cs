using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Turn.Settings;

/// <summary>The server cannot start, for a reason that a person can mend; the message says how.</summary>
internal sealed class StartupException(string message) : Exception(message)
{
    public static StartupException CannotBind(IPEndPoint endpoint, SocketException error) =>
        new($"UDP {endpoint} cannot be bound ({error.SocketErrorCode}): choose another with Turn:Port, Turn:TlsPort or Turn:ListenAddress.");
}
