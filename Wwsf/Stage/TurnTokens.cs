using System.Net;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;

namespace WebRtcIms.Wwsf.Stage;

/// <summary>Asks the TURN servers what one of them found in the token of an allocation.</summary>
internal sealed class TurnTokens(IReadOnlyList<HttpClient> servers)
{
    public bool CanOpen => servers.Count > 0;

    /// <summary>The answer of the server that has the allocation, which must be one of this session.</summary>
    public async Task<(JsonElement? Opened, Problem? Problem)> OpenAsync(
        string relayed, WebSession session, CancellationToken cancellationToken)
    {
        var query = $"/opened-tokens?relayed={Uri.EscapeDataString(relayed)}&user={Uri.EscapeDataString(session.Pseudonym)}";
        var problem = Problem.OfStatus(404);
        foreach (var server in servers)
        {
            try
            {
                using var answer = await server.GetAsync(new Uri(query, UriKind.Relative), cancellationToken);
                if (answer.IsSuccessStatusCode) return (await answer.Content.ReadFromJsonAsync<JsonElement>(cancellationToken), null);
                if (answer.StatusCode != HttpStatusCode.NotFound) problem = Problem.StageUnavailable;
            }
            catch (Exception error) when (PartControl.IsNoAnswer(error, cancellationToken))
            {
                problem = Problem.StageUnavailable;
            }
        }

        return (null, problem);
    }
}
