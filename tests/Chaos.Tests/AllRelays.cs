using WebRtcIms.Chaos.Tests.Tokens;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Chaos.Tests;

/// <summary>Allocations at a TURN node, until it has no descriptor for one more.</summary>
internal sealed class AllRelays(TurnUri node, TurnForgeries tokens)
{
    // Fewer than the quota of a client address.
    private const int Most = 150;

    private readonly List<TurnClient> _clients = [];

    /// <summary>Returns when the node has refused an allocation with 508.</summary>
    public async Task TakeAsync()
    {
        while (_clients.Count < Most)
        {
            var client = await TurnClient.ConnectAsync(node, cancellationToken: TestContext.Current.CancellationToken);
            _clients.Add(client);
            var token = tokens.Make();
            try
            {
                await client.AllocateAsync(TurnCredential.AccessToken(token.Kid, token.Octets, token.MacKey));
            }
            catch (TurnException error) when (error.Code == StunError.InsufficientCapacity)
            {
                return;
            }
        }

        Assert.Fail($"{Most} allocations, and none was refused");
    }

    /// <summary>Ends them.</summary>
    public async Task GiveBackAsync()
    {
        foreach (var client in _clients) await client.DisposeAsync();
        _clients.Clear();
    }
}
