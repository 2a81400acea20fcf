using System.Net;
using WebRtcIms.Tests.Common.Users;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Soak.Churn;

/// <summary>A page from its log-in to its sign-out: a session, a registration over a WebSocket, and tokens for each call.</summary>
internal sealed class Page : IDisposable
{
    private readonly WebUser _web;
    private readonly Uri _gateway;
    private readonly IPAddress _from;
    private SipUser? _sip;

    private Page(WebUser web, Uri gateway, IPAddress from) => (_web, _gateway, _from) = (web, gateway, from);

    public SipUser Sip => _sip ?? throw new InvalidOperationException("The page is not registered");

    public static async Task<Page> OfGuestAsync(Uri gateway)
    {
        var from = ClientAddresses.Next();
        var web = await Patience.AskAsync(() => WebUser.EnterAsGuestAsync(gateway, from: from));
        return await RegisteredAsync(new Page(web, gateway, from));
    }

    public static async Task<Page> OfUserAsync(Uri gateway, string name, string password)
    {
        var from = ClientAddresses.Next();
        var web = await Patience.AskAsync(() => WebUser.LogInAsync(gateway, name, password, from: from));
        return await RegisteredAsync(new Page(web, gateway, from));
    }

    /// <summary>A token for TURN, and a client with it.</summary>
    public async Task<(TurnClient Client, TurnCredential Credential)> ConnectToTurnAsync()
    {
        var (credential, servers) = await GetTurnTokenAsync();
        return (await TurnClient.ConnectAsync(servers[0]), credential);
    }

    public Task<(TurnCredential Credential, IReadOnlyList<TurnUri> Servers)> GetTurnTokenAsync() =>
        Patience.AskAsync(_web.GetTurnTokenAsync);

    public Task<string> GetImsTokenAsync() => Patience.AskAsync(_web.GetImsTokenAsync);

    /// <summary>Registers again with another token, as a page does before the first one expires.</summary>
    public async Task RenewAsync() => await Sip.RegisterAgainAsync(await GetImsTokenAsync());

    /// <summary>Ends the registration and the session, as the button for it does.</summary>
    public async Task SignOutAsync()
    {
        await Sip.UnregisterAsync(await GetImsTokenAsync());
        await Patience.AskAsync(async () =>
        {
            await _web.SignOutAsync();
            return true;
        });
    }

    public void Dispose()
    {
        _sip?.Dispose();
        _web.Dispose();
    }

    private static async Task<Page> RegisteredAsync(Page page)
    {
        try
        {
            var (name, token) = await Patience.AskAsync(page._web.GetImsIdentityAsync);
            page._sip = new SipUser(name, page._from);
            await page._sip.RegisterAsync(page._gateway, token);
            return page;
        }
        catch
        {
            page.Dispose();
            throw;
        }
    }
}
