using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A client that sends its requests and closes its half of the stream gets all answers, and then the end.</summary>
public sealed class HalfCloseTests
{
    private const int Rounds = 20;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC8489-6.2.2")]
    public async Task RequestsBeforeTheEnd_AreAnswered_ThenTheStreamEnds(bool isTls)
    {
        using var certificate = new TestCertificate();
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings([.. certificate.Settings]));
        for (var round = 0; round < Rounds; round++)
        {
            await using var client = await StunTestClient.TcpAsync(
                new IPEndPoint(IPAddress.Loopback, isTls ? server.TlsPort : server.Port),
                isTls ? certificate.ClientOptions() : null);
            client.Credential = Alice.Credential;
            var allocate = await client.BuildAsync(StunMethod.Allocate, StunRequest.UdpTransport);
            byte[][] requests =
            [
                StunRequest.Plain(StunMethod.Binding), StunRequest.Plain(StunMethod.Binding), allocate,
                StunRequest.Plain(StunMethod.Binding),
            ];
            await client.SendAsync([.. requests.SelectMany(request => request)]);
            if (client.Stream is SslStream secure) await secure.ShutdownAsync();
            client.Socket.Shutdown(SocketShutdown.Send);

            var answers = new List<StunAnswer>();
            while (answers.Count < requests.Length) answers.Add(await client.ReceiveStunAsync());
            foreach (var request in requests) Assert.Single(answers, answer => answer.IsSuccess && answer.IsAnswerTo(request));
            Assert.Equal(0, await client.Stream.ReadAsync(new byte[1], Cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Cancel));
        }
    }
}
