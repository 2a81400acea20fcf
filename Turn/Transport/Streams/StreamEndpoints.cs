using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>The TCP and TLS ports, on Kestrel.</summary>
internal static class StreamEndpoints
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    public static void ListenForTurn(this KestrelServerOptions kestrel, TurnSettings settings)
    {
        foreach (var address in settings.ListenAddresses())
        {
            kestrel.Listen(new IPEndPoint(address, settings.Port), listen => listen.UseConnectionHandler<TurnConnectionHandler>());
            if (settings.TlsCertificate is not null) kestrel.Listen(new IPEndPoint(address, settings.TlsPort), ListenForTls);
        }
    }

    private static void ListenForTls(ListenOptions listen)
    {
        var handshakes = listen.ApplicationServices.GetRequiredService<TlsHandshakes>();

        // The protocol is not HTTP. Other values would make Kestrel expect QUIC.
        listen.Protocols = HttpProtocols.Http1;
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
