using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Telemetry;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Connections of one page that register at the same time, on two threads.</summary>
public sealed class FlowsTests : IDisposable
{
    // Only a product with the fault uses less than this time.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);

    private readonly ServiceProvider _services =
        new ServiceCollection().AddMetrics().AddSingleton(TimeProvider.System).AddSingleton<TraceMembers>().AddSingleton<EpCscfTelemetry>()
            .BuildServiceProvider();

    private readonly WebSocket _socket = WebSocket.CreateFromStream(Stream.Null, new WebSocketCreationOptions());
    private readonly EpCscfSettings _settings = new();
    private readonly MeterListener _meters = new();
    private readonly Flows _flows;
    private Action<long> _onRegisteredChanged = _ => { };

    public FlowsTests()
    {
        _flows = new(_services.GetRequiredService<EpCscfTelemetry>());
        _meters.SetMeasurementEventCallback<int>((_, value, _, _) => _onRegisteredChanged(value));
        _meters.SetMeasurementEventCallback<long>((_, value, _, _) => _onRegisteredChanged(value));
        _meters.ListenTo(_services.GetRequiredService<IMeterFactory>());
        _meters.Start();
    }

    public void Dispose()
    {
        _meters.Dispose();
        _socket.Dispose();
        _services.Dispose();
    }

    [Fact]
    [Requirement("RFC5626-5.2")]
    public void ConnectionsThatRegisterAtOnce_AreBoundOneAfterTheOther_AndTheLastStays()
    {
        var (first, second) = (Connection(), Connection());
        var other = new Thread(() => _flows.Bind(second, Registration()));
        var hasOvertaken = false;
        _onRegisteredChanged = _ =>
        {
            _onRegisteredChanged = _ => { };
            other.Start();
            hasOvertaken = other.Join(Patience);
        };

        _flows.Bind(first, Registration());
        other.Join();

        Assert.False(hasOvertaken);
        Assert.Same(second, _flows.Find(Registration().Binding.Id));
        Assert.False(first.Send("x"u8.ToArray()));
        Assert.True(second.Send("x"u8.ToArray()));
    }

    [Fact]
    [Requirement("RFC5626-5.2")]
    public void ConnectionThatRegistersWhileItsBindingIsRemoved_CanBeReached()
    {
        var flow = Connection();
        _flows.Bind(flow, Registration());
        var other = new Thread(() => _flows.Bind(flow, Registration()));
        _onRegisteredChanged = _ =>
        {
            _onRegisteredChanged = _ => { };
            other.Start();
            other.Join(Patience);
        };

        _flows.Unbind(flow);
        other.Join();

        Assert.NotNull(flow.Registration);
        Assert.Same(flow, _flows.Find(Registration().Binding.Id));
    }

    [Fact]
    [Requirement("SEC-40")]
    public void ClientThatReadsSlowly_IsNotDisconnectedByRequestsOfOthers_AndLearnsTheEndsOfCalls()
    {
        var flow = Connection();
        _flows.Bind(flow, Registration());
        var delivery = new Delivery(_flows, null!, null!, null!, TimeProvider.System);
        var id = Registration().Binding.Id;
        bool Send(string start, int length) => delivery.Send(id, replica: null, Encoding.ASCII.GetBytes(start.PadRight(length)));

        Assert.Equal(9, Enumerable.Range(0, 100).Count(_ => Send("MESSAGE sip:a SIP/2.0", 60_000)));
        Assert.Equal((false, false), (Send("INFO sip:a SIP/2.0", 100), Send("SIP/2.0 180 Ringing", 100)));
        Assert.Equal((false, false), (Send("BYE sip:a SIP/2.0", 60_000), Send("CANCEL sip:a SIP/2.0", 60_000)));

        Assert.Equal((true, true), (Send("BYE sip:a SIP/2.0", 800), Send("CANCEL sip:a SIP/2.0", 800)));
        Assert.Equal((true, true), (Send("ACK sip:a SIP/2.0", 800), Send("SIP/2.0 200 OK", 60_000)));
        Assert.True(flow.Send("x"u8.ToArray()));
    }

    [Fact]
    [Requirement("SEC-40")]
    public void ManySmallRequestsOfOthers_LeaveHalfOfTheQueue()
    {
        var flow = Connection();
        _flows.Bind(flow, Registration());
        var delivery = new Delivery(_flows, null!, null!, null!, TimeProvider.System);

        Assert.Equal(257, Enumerable.Range(0, 1000).Count(_ => delivery.Send(Registration().Binding.Id, null, "INFO "u8.ToArray())));
        Assert.True(flow.Send("x"u8.ToArray()));
    }

    /// <summary>A page that was told comes back at once. Nothing else would end its new connection for 30 s.</summary>
    [Fact]
    public void ConnectionThatComesWhileTheServerStops_IsClosedAlso()
    {
        _flows.CloseAll();
        var flow = Connection();
        _flows.Add(flow);
        Assert.False(flow.Send("x"u8.ToArray()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("SEC-40")]
    public async Task ClientThatDoesNotReadAMessageInTime_IsDisconnected_AndOthersNeedNoTimer(bool reads)
    {
        var time = new ObservedTime(TimeProvider.System.GetUtcNow());
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient { ReceiveBufferSize = 4096 };
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint, TestContext.Current.CancellationToken);
        var server = await listener.AcceptSocketAsync(TestContext.Current.CancellationToken);
        server.SendBufferSize = 4096;
        using var socket = WebSocket.CreateFromStream(
            new NetworkStream(server, ownsSocket: true), new WebSocketCreationOptions { IsServer = true });
        var flow = new Flow(socket, _settings, time);
        var running = flow.RunAsync(_ => Task.CompletedTask);

        flow.Send(new byte[reads ? 50 : 500_000]);
        await Eventually.IsTrueAsync(() => reads ? client.Available > 0 : time.Timers(ConnectionLifetimes.Send) == 1);
        time.Advance(ConnectionLifetimes.Send);

        if (reads)
        {
            Assert.Equal((0, WebSocketState.Open), (time.Timers(ConnectionLifetimes.Send), socket.State));
            return;
        }

        await running.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(WebSocketState.Aborted, socket.State);
        Assert.False(flow.Send("x"u8.ToArray()));
    }

    private static FlowRegistration Registration()
    {
        var id = new BindingId("subscriber123456", "device0123456789");
        var binding = new Binding(id, "sip:x@y.invalid", null, null, "call", 1, DateTimeOffset.MaxValue, "flow", "replica", "session");
        var token = new RegistrationToken
        {
            Issuer = "waf",
            Audience = "sip:ims.example",
            Impi = "bob@ims.example",
            Impus = [],
            Waf = "waf",
            Wwsf = "wwsf",
            IssuedAt = 0,
            ExpiresAt = long.MaxValue,
            TokenId = "token",
            SessionId = "session",
        };
        return new(binding, new("bob@ims.example", [], "Bob", [], []), [], token);
    }

    private Flow Connection() => new(_socket, _settings, TimeProvider.System);
}
