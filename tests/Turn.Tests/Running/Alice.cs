using System.Net;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Clients of the user <c>alice</c>, and the settings of a server that knows this user.</summary>
internal static class Alice
{
    public static readonly StunCredential Credential = StunCredential.Password("alice", "secret");

    public static (string, string)[] Settings(params (string, string)[] more) =>
        [("Turn__StaticUsers__0__Name", "alice"), ("Turn__StaticUsers__0__Password", "secret"), .. more];

    public static StunTestClient Udp(IPAddress server, int port)
    {
        var client = StunTestClient.Udp(new IPEndPoint(server, port));
        client.Credential = Credential;
        return client;
    }

    public static async Task<StunTestClient> TcpAsync(int port)
    {
        var client = await StunTestClient.TcpAsync(new IPEndPoint(IPAddress.Loopback, port));
        client.Credential = Credential;
        return client;
    }
}
