using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>The TCP and TLS ports, on Kestrel.</summary>
internal static class StreamEndpoints
{
    // IPPROTO_IP and IP_FREEBIND, also for IPv6. .NET has no names for them.
    private const int LevelIP = 0;
    private const int FreeBind = 15;

    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    public static void ListenForTurn(this KestrelServerOptions kestrel, TurnSettings settings)
    {
        foreach (var address in Addresses(settings))
        {
            kestrel.Listen(new IPEndPoint(address, settings.Port), ListenForTcp);
            if (settings.TlsCertificate is not null) kestrel.Listen(new IPEndPoint(address, settings.TlsPort), ListenForTls);
        }
    }

    /// <summary>
    /// A listening socket for one of these addresses. Unlike Kestrel's own, one for :: leaves IPv4 to others, and on Linux an address may be
    /// bound that this machine gets later, or that is still tentative.
    /// </summary>
    public static Socket Bind(IPEndPoint endpoint)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (OperatingSystem.IsLinux()) socket.SetRawSocketOption(LevelIP, FreeBind, [1, 0, 0, 0]);
            socket.Bind(endpoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // A connection has the address that the client used, so unlike UDP a wildcard needs one socket.
    private static IEnumerable<IPAddress> Addresses(TurnSettings settings)
    {
        var named = TurnSettings.Addresses(settings.ListenAddress);
        return named
            .Where(address => WildcardOf(address) is var any && (address.Equals(any) || !named.Contains(any)))
            .Where(address => address.AddressFamily != AddressFamily.InterNetworkV6 || Socket.OSSupportsIPv6);
    }

    private static IPAddress WildcardOf(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any;

    private static void ListenForTcp(ListenOptions listen)
    {
        RefuseWithoutMemory(listen);
        listen.UseConnectionHandler<TurnConnectionHandler>();
    }

    private static void RefuseWithoutMemory(ListenOptions listen)
    {
        var shortages = listen.ApplicationServices.GetRequiredService<RelayShortages>();
        listen.Use(next => connection => StreamMemory.ServeAsync(connection, next, shortages));
    }

    private static void ListenForTls(ListenOptions listen)
    {
        var handshakes = listen.ApplicationServices.GetRequiredService<TlsHandshakes>();

        // The protocol is not HTTP. Other values would make Kestrel expect QUIC.
        listen.Protocols = HttpProtocols.Http1;
        RefuseWithoutMemory(listen);
        listen.Use(next => connection => HalfOpenHandshakes.BeginAsync(connection, next));
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = HandshakeTimeout,
            OnConnection = _ => ValueTask.FromResult(handshakes.Options),
        });
        listen.Use(next => connection => HalfOpenHandshakes.EndAsync(connection, next));
        listen.UseConnectionHandler<TurnConnectionHandler>();
    }
}
