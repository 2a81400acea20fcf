using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace WebRtcIms.Turn.Client.Transport;

/// <summary>Opens the transport that a URI asks for.</summary>
internal static class TurnTransports
{
    // RFC 7443 §6.
    private static readonly SslApplicationProtocol StunTurn = new("stun.turn");

    public static async Task<ITurnTransport> OpenAsync(TurnUri server, TurnClientOptions options, CancellationToken cancel)
    {
        if (server is { IsSecure: true, Transport: TurnTransport.Udp })
            throw new NotSupportedException($"{server} means DTLS, which this client does not speak; use TLS: turns:{server.Host}?transport=tcp");

        try
        {
            if (server.Transport == TurnTransport.Tcp) return new StreamTransport(await ConnectAsync(server, options, cancel));
            var addresses = await Dns.GetHostAddressesAsync(server.Host, cancel);
            return new UdpTransport(new IPEndPoint(addresses[0], server.Port));
        }
        catch (Exception error) when (error is SocketException or IOException or System.Security.Authentication.AuthenticationException)
        {
            throw new TurnException($"{server} cannot be reached: {error.Message}", error);
        }
    }

    private static async Task<Stream> ConnectAsync(TurnUri server, TurnClientOptions options, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(server.Host, server.Port, cancel);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (!server.IsSecure) return stream;
            var tls = new SslStream(stream);
            stream = tls;
            await tls.AuthenticateAsClientAsync(TlsOptions(server, options), cancel);
            return tls;
        }
        catch
        {
            if (stream is null) socket.Dispose();
            else await stream.DisposeAsync();
            throw;
        }
    }

    private static SslClientAuthenticationOptions TlsOptions(TurnUri server, TurnClientOptions options)
    {
        var tls = options.Tls ?? new SslClientAuthenticationOptions();
        tls.TargetHost ??= server.Host;
        tls.ApplicationProtocols ??= [StunTurn];
        return tls;
    }
}
