using Microsoft.Extensions.Time.Testing;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>The server, with the pages of two users that are registered.</summary>
public abstract class AliceAndBob : IAsyncLifetime
{
    private EpCscfApp _app = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;

    private protected EpCscfApp App => _app;

    private protected Wic Alice => _alice;

    private protected Wic Bob => _bob;

    /// <summary>The time of the server; by default that of the system.</summary>
    private protected virtual FakeTimeProvider? ServerTime => null;

    private protected virtual (string Key, string Value)[] Settings => [];

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start(ServerTime, Settings);
        _alice = await _app.RegisterAsync("alice");
        _bob = await _app.RegisterAsync("bob");
    }

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _app.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Alice calls Bob, whose page rings.</summary>
    private protected async Task<(string Request, Received Invite)> RingAsync()
    {
        var request = Alice.Invite("sip:bob@ims.example");
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        await HandledAsync();
        return (request, invite);
    }

    /// <summary>
    /// The server has handled all that both have sent. A message that has arrived shows less: the server may set a timer after it. Call it
    /// before the clock moves.
    /// </summary>
    private protected async Task HandledAsync()
    {
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();
    }
}
