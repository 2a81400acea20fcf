using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>The server's side of one stream without a socket, with a clock that the test moves.</summary>
internal sealed class StreamFixture : IAsyncDisposable
{
    private readonly IHost _host;

    public StreamFixture()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.AddTurn(new TurnSettings { StaticUsers = [new StaticUserSettings { Name = "u", Password = "p" }] });
        builder.Services.AddLogging();
        builder.Services.AddMetrics();
        builder.Services.Replace(ServiceDescriptor.Singleton<TimeProvider>(Clock));
        _host = builder.Build();
        _host.Services.GetRequiredService<EngineSettings>().RelaysIPv4 = true;

        // A stream that holds next to nothing, so that a client which does not read is noticed at once; and what is written has
        // been handled when the write returns, so that the clock may then be moved.
        var pair = DuplexPipe.Pair(new PipeOptions(
            readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline,
            pauseWriterThreshold: 4096, resumeWriterThreshold: 2048, useSynchronizationContext: false));
        Client = pair.Client;
        Connection = new AbortedByFlag("1", pair.Server, pair.Client)
        {
            RemoteEndPoint = new IPEndPoint(IPAddress.Loopback, 40000),
            LocalEndPoint = new IPEndPoint(IPAddress.Loopback, 3478),
        };
    }

    public FakeTimeProvider Clock { get; } = new();

    /// <summary>What the client writes and reads.</summary>
    public IDuplexPipe Client { get; }

    public ConnectionContext Connection { get; }

    /// <summary>Whether the server has given the connection up.</summary>
    public bool IsAborted => ((AbortedByFlag)Connection).IsAborted;

    public TurnMetrics Metrics => _host.Services.GetRequiredService<TurnMetrics>();

    public IReadOnlyList<EngineHost> Hosts => _host.Services.GetRequiredService<IReadOnlyList<EngineHost>>();

    /// <summary>Serves the stream; ends with it.</summary>
    public Task ServeAsync() => ActivatorUtilities.CreateInstance<TurnConnectionHandler>(_host.Services).OnConnectedAsync(Connection);

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        _host.Dispose();
    }

    // The base class cancels a token later, on another thread, although it may be disposed by then.
    private sealed class AbortedByFlag(string id, IDuplexPipe transport, IDuplexPipe application)
        : DefaultConnectionContext(id, transport, application)
    {
        public bool IsAborted { get; private set; }

        public override void Abort(ConnectionAbortedException abortReason) => IsAborted = true;
    }

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe
    {
        public static (IDuplexPipe Server, IDuplexPipe Client) Pair(PipeOptions options)
        {
            var (up, down) = (new Pipe(options), new Pipe(options));
            return (new DuplexPipe(up.Reader, down.Writer), new DuplexPipe(down.Reader, up.Writer));
        }
    }
}
