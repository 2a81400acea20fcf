using System.Buffers;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Hosting;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>What keeps a stream, and which class it has in the admission.</summary>
public sealed class StreamAdmissionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ConnectionAdmission _admission = new(
        "test", new(10, 10, 10, 10), new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>(),
        NullLogger<ConnectionAdmission>.Instance);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StunMethod.Binding)]
    [InlineData(StunMethod.Allocate)]
    [Requirement("SEC-2")]
    public async Task RequestsWithoutCredentials_DoNotKeepAStream(StunMethod method)
    {
        await using var fixture = new StreamFixture();
        using var place = Admit(fixture);
        var serving = fixture.ServeAsync();
        fixture.Clock.Advance(TimeSpan.FromSeconds(40));
        await AskAsync(fixture, StunRequest.Plain(method));
        Assert.False(serving.IsCompleted);

        fixture.Clock.Advance(TimeSpan.FromSeconds(20));
        await serving.WaitAsync(Patience, Cancel);
        Assert.Equal((1, 0), (_admission.Unauthenticated, _admission.Authenticated));
    }

    [Fact]
    [Requirement("SEC-2")]
    public async Task Allocation_MakesAStreamAuthenticated_UntilItEnds()
    {
        await using var fixture = new StreamFixture();
        using var place = Admit(fixture);
        var transport = new FakeTransport(new TurnSettings { ListenAddress = "127.0.0.1" });
        foreach (var host in fixture.Hosts) host.Transport = transport;
        var serving = fixture.ServeAsync();
        var challenge = await AskAsync(fixture, StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport));
        Assert.Equal((1, 0), (_admission.Unauthenticated, _admission.Authenticated));
        Assert.True((await AskAsync(fixture, Request(StunMethod.Allocate, StunRequest.UdpTransport, challenge))).IsSuccess);
        Assert.Equal((0, 1), (_admission.Unauthenticated, _admission.Authenticated));

        fixture.Clock.Advance(TimeSpan.FromSeconds(300));
        Assert.Equal((0, 1), (_admission.Unauthenticated, _admission.Authenticated));
        Assert.True((await AskAsync(fixture, Request(StunMethod.Refresh, StunRequest.Lifetime(0), challenge))).IsSuccess);
        fixture.Clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal((1, 0), (_admission.Unauthenticated, _admission.Authenticated));
        Assert.False(serving.IsCompleted);
        fixture.Clock.Advance(TimeSpan.FromSeconds(60));
        await serving.WaitAsync(Patience, Cancel);
    }

    [Fact]
    [Requirement("SEC-2")]
    public void Success_ProvesTheClient_ExceptThatOfABinding()
    {
        foreach (var method in Enum.GetValues<StunMethod>())
        {
            Assert.Equal(
                method != StunMethod.Binding, AuthenticatedResponse.Is(StunRequest.Plain(method, @class: StunClass.SuccessResponse)));
            Assert.False(AuthenticatedResponse.Is(StunRequest.Plain(method, @class: StunClass.ErrorResponse)));
            Assert.False(AuthenticatedResponse.Is(StunRequest.Plain(method, @class: StunClass.Indication)));
        }

        Assert.False(AuthenticatedResponse.Is(StunRequest.OnChannel(0x4001, [1, 3])));
        Assert.False(AuthenticatedResponse.Is([1]));
        Assert.False(AuthenticatedResponse.Is([]));
    }

    [Theory]
    [InlineData(1_000_000, 64, 16_064, 983_872, false)]
    [InlineData(20_000, 64, 9_968, 9_968, true)]
    [InlineData(40_000, 64, 16_064, 23_872, false)]
    [InlineData(64, 16, 24, 24, true)]
    [Requirement("ABUSE-57")]
    public void Descriptors_AreSharedAmongStreamsAndRelays(int available, int management, int streams, int relays, bool isLowered) =>
        Assert.Equal(new DescriptorShares(management, streams, relays, isLowered), DescriptorShares.Of(new(), available, available + 300));

    [Fact]
    [Requirement("ABUSE-57")]
    public void TooFewDescriptors_AreNamedWithTheNeed()
    {
        var error = Assert.Throws<SettingsException>(() => DescriptorShares.Of(new(), available: -44, limit: 256));
        Assert.Contains("(ulimit -n) is 256; the server needs 332 or more", error.Message, StringComparison.Ordinal);
    }

    private AdmittedConnection Admit(StreamFixture fixture)
    {
        var place = _admission.TryAdmit(IPAddress.Loopback, () => { })!;
        fixture.Connection.Features.Set(place);
        return place;
    }

    private static byte[] Request(StunMethod method, WriteAttributes attributes, StunAnswer challenge) =>
        StunRequest.Authenticated(method, attributes, StunCredential.Password("u", "p"), challenge.Challenge);

    private static async Task<StunAnswer> AskAsync(StreamFixture fixture, byte[] request)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Patience);
        await fixture.Client.Output.WriteAsync(request, limit.Token);
        var read = await fixture.Client.Input.ReadAsync(limit.Token);
        var answer = new StunAnswer(read.Buffer.ToArray());
        fixture.Client.Input.AdvanceTo(read.Buffer.End);
        return answer;
    }
}
