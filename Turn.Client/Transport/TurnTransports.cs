using System.Net.Security;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Client.Transport;

/// <summary>Opens the transport that a URI asks for.</summary>
internal static class TurnTransports
{
    // RFC 7443 §6.
    private static readonly SslApplicationProtocol StunTurn = new("stun.turn");

    /// <param name="server">The server.</param>
    /// <param name="tls">How to check a server of <c>turns:</c>, or null for the defaults.</param>
    /// <param name="time">The time source.</param>
    /// <param name="cancel">Stops the attempt.</param>
    public static async Task<ITurnTransport> OpenAsync(
        TurnUri server, SslClientAuthenticationOptions? tls, TimeProvider time, CancellationToken cancel)
    {
        if (server is { IsSecure: true, Transport: TurnTransport.Udp })
            throw new NotSupportedException($"{server} means DTLS, which is not supported; use TLS: turns:{server.Host}?transport=tcp");

        try
        {
            return server.Transport == TurnTransport.Tcp
                ? new StreamTransport(await ConnectAsync(server, tls, cancel), time)
                : OpenUdp(await Dns.GetHostAddressesAsync(server.Host, cancel), server.Port);
        }
        catch (Exception error) when (error is SocketException or IOException or System.Security.Authentication.AuthenticationException)
        {
            throw new TurnException($"{server} cannot be reached: {error.Message}", error);
        }
    }

    /// <summary>Uses the first address to which this machine has a route.</summary>
    private static UdpTransport OpenUdp(IPAddress[] addresses, int port)
    {
        var last = new SocketException((int)SocketError.HostNotFound);
        foreach (var address in addresses)
        {
            try
            {
                return new UdpTransport(new IPEndPoint(address, port));
            }
            catch (SocketException error)
            {
                last = error;
            }
        }

        throw last;
    }

    private static async Task<Stream> ConnectAsync(TurnUri server, SslClientAuthenticationOptions? options, CancellationToken cancel)
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

    private static SslClientAuthenticationOptions TlsOptions(TurnUri server, SslClientAuthenticationOptions? options)
    {
        var tls = options ?? new SslClientAuthenticationOptions();
        tls.TargetHost ??= server.Host;
        tls.ApplicationProtocols ??= [StunTurn];
        return tls;
    }
}
