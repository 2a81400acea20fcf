using System.Net.Http.Headers;

namespace WebRtcIms.AppHost;

/// <summary>An OAuth client that the model gives to the WAF.</summary>
internal sealed record OAuthClientAnnotation(string ClientId, ParameterResource Secret) : IResourceAnnotation;

internal static class WafCommands
{
    private const string ClientArgument = "client";

    /// <summary>
    /// Adds "Revoke a client": the revocation request of the WAF with <c>all_tokens</c>, in the client's name (RFC 7009).
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithRevokeClientCommand(this IResourceBuilder<ProjectResource> waf)
    {
        var clientIds = Clients(waf).Select(client => client.ClientId).ToList();
        return waf.WithCommand("revoke-client", "Revoke a client", context => RevokeAsync(waf, context), new CommandOptions
        {
            Description = "Revokes every token that a client got until now, on all TURN servers. Their allocations end.",
            ConfirmationMessage = "All calls that were relayed with the client's tokens end. Revoke the client?",
            IconName = "PersonProhibited",
            Arguments =
            [
                new InteractionInput
                {
                    Name = ClientArgument,
                    Label = "Client",
                    InputType = InputType.Choice,
                    Required = true,
                    Options = [.. clientIds.Select(id => KeyValuePair.Create(id, id))],
                    Value = clientIds[0],
                },
            ],
        });
    }

    private static IEnumerable<OAuthClientAnnotation> Clients(IResourceBuilder<ProjectResource> waf) =>
        waf.Resource.Annotations.OfType<OAuthClientAnnotation>();

    private static async Task<ExecuteCommandResult> RevokeAsync(IResourceBuilder<ProjectResource> waf, ExecuteCommandContext context)
    {
        var clientId = context.Arguments.GetString(ClientArgument);
        var client = Clients(waf).FirstOrDefault(client => client.ClientId == clientId);
        if (client is null) return CommandResults.Failure($"The WAF does not have a client '{clientId}'.");
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri(waf.GetEndpoint("http").Url) };
            var secret = await client.Secret.GetValueAsync(context.CancellationToken) ?? "";
            var credentials = $"{Uri.EscapeDataString(client.ClientId)}:{Uri.EscapeDataString(secret)}";
            http.DefaultRequestHeaders.Authorization =
                new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)));
            using var form = new FormUrlEncodedContent([KeyValuePair.Create("all_tokens", "true")]);
            using var answer = await http.PostAsync(new Uri("/oauth2/revoke", UriKind.Relative), form, context.CancellationToken);
            return answer.IsSuccessStatusCode
                ? CommandResults.Success($"All tokens that {client.ClientId} got until now are revoked.")
                : CommandResults.Failure(
                    $"The WAF answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync(context.CancellationToken)}");
        }
        catch (HttpRequestException error)
        {
            return CommandResults.Failure($"The WAF cannot be reached: {error.Message}");
        }
    }
}
