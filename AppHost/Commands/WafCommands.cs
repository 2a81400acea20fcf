using System.Net.Http.Json;

namespace WebRtcIms.AppHost;

internal static class WafCommands
{
    private const string ClientArgument = "client";

    /// <summary>
    /// Adds "Revoke a client". A TURN server revokes the tokens of the client for all others. The WAF names its clients in its log when
    /// they register.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithRevokeClientCommand(
        this IResourceBuilder<ProjectResource> waf, IResourceBuilder<ProjectResource> turn) =>
        waf.WithCommand("revoke-client", "Revoke a client", context => RevokeAsync(turn, context), new CommandOptions
        {
            Description = "Revokes every token that a client got until now, on all TURN servers. Their allocations end.",
            ConfirmationMessage = "All calls that were relayed with the client's tokens end. Revoke the client?",
            IconName = "PersonProhibited",
            Arguments =
            [
                new InteractionInput
                {
                    Name = ClientArgument,
                    Label = "Client id, as in the log of the WAF",
                    InputType = InputType.Text,
                    Required = true,
                },
            ],
        });

    private static async Task<ExecuteCommandResult> RevokeAsync(IResourceBuilder<ProjectResource> turn, ExecuteCommandContext context)
    {
        var clientId = context.Arguments.GetString(ClientArgument);
        if (string.IsNullOrWhiteSpace(clientId)) return CommandResults.Failure("The client id is missing.");
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri(turn.GetEndpoint("http").Url) };
            using var answer = await http.PostAsJsonAsync(
                new Uri("/revocations", UriKind.Relative), new { client_id = clientId }, context.CancellationToken);
            if (answer.IsSuccessStatusCode) return CommandResults.Success($"All tokens that {clientId} got until now are revoked.");
            var text = await answer.Content.ReadAsStringAsync(context.CancellationToken);
            return CommandResults.Failure($"The TURN server answered {(int)answer.StatusCode}: {text}");
        }
        catch (HttpRequestException error)
        {
            return CommandResults.Failure($"The TURN server cannot be reached: {error.Message}");
        }
    }
}
