using System.Net;
using System.Text.RegularExpressions;
using WebRtcIms.Networks.Tests.Namespaces;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests.Addresses;

/// <summary>The examples of Turn/README.md do what it says, on a machine with their addresses.</summary>
[Requirement("NET-02")]
[Requirement("NET-03")]
[Requirement("NET-19")]
public sealed partial class ReadmeTests
{
    // Where the client sends its Allocate, and the address of its relay.
    private static readonly Dictionary<string, string[]> Results = new()
    {
        ["Turn__ListenAddress=0.0.0.0,::"] =
        [
            "192.0.2.1 192.0.2.1", "192.0.2.2 192.0.2.2", "10.0.0.5 10.0.0.5", "2001:db8::1 2001:db8::1",
        ],
        ["Turn__ListenAddress=192.0.2.1,192.0.2.2,2001:db8::1"] =
            ["192.0.2.1 192.0.2.1", "192.0.2.2 192.0.2.2", "2001:db8::1 2001:db8::1"],
        ["Turn__ListenAddress=10.0.0.5 Turn__PublicAddress=turn.example.org"] = ["10.0.0.5 198.51.100.7"],
        ["Turn__ListenAddress=0.0.0.0 Turn__PublicAddress=198.51.100.5/10.0.0.5,198.51.100.6/10.0.0.6"] =
            ["10.0.0.5 198.51.100.5", "10.0.0.6 198.51.100.6", "192.0.2.1 192.0.2.1"],
        ["Turn__ListenAddress=2001:db8::1 Turn__DefaultRelayFamily=Client"] = ["2001:db8::1 2001:db8::1 browser"],
    };

    public static TheoryData<string> Examples()
    {
        var text = File.ReadAllText(Repository.PathOf("Turn", "README.md"));
        var section = text[text.IndexOf("## Addresses", StringComparison.Ordinal)..text.IndexOf("## Limits", StringComparison.Ordinal)];
        return [.. Block().Matches(section).Select(block => block.Groups[1].Value.Trim())];
    }

    [Fact]
    public void EveryExample_HasAResultHere() => Assert.Equal(Results.Keys.Order(), Examples().Select(row => row.Data).Order());

    [Theory]
    [MemberData(nameof(Examples))]
    public async Task Example_GivesTheRelaysThatItPromises(string example)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        foreach (var address in new[] { "192.0.2.1/24", "192.0.2.2/24", "10.0.0.5/24", "10.0.0.6/24", "2001:db8::1/64" })
            await server.AddAddressAsync(address, "eth0");
        foreach (var address in new[] { "192.0.2.101/24", "10.0.0.101/24", "2001:db8::101/64" })
            await client.AddAddressAsync(address, "eth0");
        server.WriteHosts("127.0.0.1 localhost\n198.51.100.7 turn.example.org\n");
        await using var turn = await server.StartTurnAsync(Users.Settings(
            [.. example.Split(' ').Select(setting => setting.Split('=', 2)).Select(setting => (setting[0], setting[1]))]));

        foreach (var result in Results[example].Select(result => result.Split(' ')))
        {
            var to = new IPEndPoint(IPAddress.Parse(result[0]), 3478);
            var from = result[0].Contains(':') ? "2001:db8::101" : result[0][..(result[0].LastIndexOf('.') + 1)] + "101";
            await using var caller = await Caller.AllocateAsync(
                client.UdpClient(from, to, Users.Alice), result.Length > 2 ? StunRequest.UdpTransport : null);
            Assert.Equal(result[1], caller.Relayed.Address.ToString());
            await caller.AssertReachesAsync(client, result[0].Contains(':') ? "2a77::102" : "20.77.0.102");
        }
    }

    [GeneratedRegex("```sh\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Block();
}
