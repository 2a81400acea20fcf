using System.Net;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;

namespace WebRtcIms.Wwsf.Stage;

/// <summary>Asks the TURN server what it found in the token of an allocation.</summary>
internal sealed class TurnTokens(HttpClient? http)
{
    public bool CanOpen => http is not null;

    /// <summary>The server's answer for an allocation of this session.</summary>
    public async Task<(JsonElement? Opened, Problem? Problem)> OpenAsync(
        string relayed, WebSession session, CancellationToken cancellationToken)
    {
        if (http is null) return (null, Problem.OfStatus(404));
        var query = $"/opened-tokens?relayed={Uri.EscapeDataString(relayed)}&user={Uri.EscapeDataString(session.Pseudonym)}";
        try
        {
            using var answer = await http.GetAsync(new Uri(query, UriKind.Relative), cancellationToken);
            if (answer.StatusCode == HttpStatusCode.NotFound) return (null, Problem.OfStatus(404));
            return answer.IsSuccessStatusCode
                ? (await answer.Content.ReadFromJsonAsync<JsonElement>(cancellationToken), null)
                : (null, Problem.StageUnavailable);
        }
        catch (Exception error) when (PartControl.IsNoAnswer(error, cancellationToken))
        {
            return (null, Problem.StageUnavailable);
        }
    }
}
