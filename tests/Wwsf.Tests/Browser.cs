using System.Net;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>A browser that goes to the provider and returns, without a user.</summary>
internal sealed record Browser(Page Page)
{
    public static async Task<Browser> OpenAsync(WwsfApp app) => new(await app.OpenPageAsync());

    /// <summary>The last address of the browser: <c>/</c>, or <c>/?problem=</c> and a code.</summary>
    public async Task<string> LogInAsync() => await ReturnAsync(await LetProviderAnswerAsync(await AskAsync()));

    public async Task<string> AskAsync() => (await Page.SendAsync(HttpMethod.Post, "/api/session/external")).Text("location")!;

    /// <summary>The address to which the provider sends the browser. The user is logged in at the provider.</summary>
    public static async Task<string> LetProviderAnswerAsync(string location)
    {
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        using var answer = await http.GetAsync(new Uri(location), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
        return answer.Headers.Location!.PathAndQuery;
    }

    public async Task<string> ReturnAsync(string callback)
    {
        var answer = await Page.SendAsync(HttpMethod.Get, callback);
        Assert.Equal(HttpStatusCode.Redirect, answer.Status);
        await Page.LoadAsync();
        return answer.Headers["Location"];
    }
}
