using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>
/// A client's stream, as a whole and then in pieces, through the real connection handler: the server must say the same in both cases,
/// in messages that can be taken apart again.
/// </summary>
internal static class StreamTarget
{
    private static readonly Lazy<ServiceProvider> Services = new(Build);

    public static void Run(byte[] octets)
    {
        var script = new Script(octets);
        var piece = 1 + (script.Byte() % 40);
        var stream = script.ReadRest().ToArray();
        var whole = Exchange(stream, stream.Length + 1);
        var pieces = Exchange(stream, piece);
        FindingException.ThrowUnless(whole.SequenceEqual(pieces), "pieces of a stream mean what the whole means");
    }

    /// <summary>Type and length of each message that came back; a nonce in it differs each time.</summary>
    private static ReadOnlySpan<(StunMessageType Type, int Length)> Exchange(byte[] stream, int piece)
    {
        var handler = ActivatorUtilities.CreateInstance<TurnConnectionHandler>(Services.Value);
        var options =
            new PipeOptions(
                readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0,
                useSynchronizationContext: false);
        var (toServer, toClient) = (new Pipe(options), new Pipe(options));
        var connection =
            new DefaultConnectionContext("fuzz", new Ends(toServer.Reader, toClient.Writer), new Ends(toClient.Reader, toServer.Writer))
            {
                RemoteEndPoint = new IPEndPoint(IPAddress.Loopback, 40000),
                LocalEndPoint = new IPEndPoint(IPAddress.Loopback, 3478),
            };

        var serving = handler.OnConnectedAsync(connection);
        for (var at = 0; at < stream.Length; at += piece)
            _ = toServer.Writer.WriteAsync(stream.AsMemory(at, Math.Min(piece, stream.Length - at))).AsTask();
        toServer.Writer.Complete();
        serving.GetAwaiter().GetResult();
        toClient.Writer.Complete();
        return Messages(toClient.Reader);
    }

    private static ReadOnlySpan<(StunMessageType Type, int Length)> Messages(PipeReader reader)
    {
        List<(StunMessageType, int)> messages = [];
        reader.TryRead(out var read);
        var octets = System.Buffers.BuffersExtensions.ToArray(read.Buffer).AsSpan();
        while (!octets.IsEmpty)
        {
            FindingException.ThrowUnless(octets.Length >= StreamFraming.PrefixLength, "the server sends whole messages");
            var length = StreamFraming.FrameLength(octets);
            FindingException.ThrowUnless(length > 0 && length <= octets.Length, "the server's messages can be taken apart");
            FindingException.ThrowUnless(
                StunMessageReader.TryRead(octets[..length], out var message) == StunParseStatus.Ok, "the server's messages can be read");
            messages.Add((message.Type, length));
            octets = octets[length..];
        }

        return messages.ToArray();
    }

    private static ServiceProvider Build()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Turn:StaticUsers:0:Name"] = "alice",
            ["Turn:StaticUsers:0:Password"] = "secret",
        });
        builder.Services.AddLogging();
        builder.Services.AddMetrics();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddTurn(builder.Configuration.ReadTurnSettings());
        return builder.Services.BuildServiceProvider();
    }

    private sealed record Ends(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
